"""What an audit says of a run, in one line with its numbers."""

from dataclasses import dataclass, replace

import numpy as np

from kagglecxr.core.intervals import Interval
from kagglecxr.shortcuts.background_gap import BackgroundGap
from kagglecxr.shortcuts.problems import are_findings, chance_of
from kagglecxr.shortcuts.region_matrix import AS_TRAINED, RegionMatrix
from kagglecxr.shortcuts.regions import BACKGROUND, WHOLE

SHORTCUT, UNUSED, UNEXPLAINED, UNTESTED, CLEAN, NOTHING = (
    "reads what is outside of the lungs",
    "could read the background, with no sign that it does",
    "changes with the background, which tells nothing by itself",
    "could not be tested on other backgrounds",
    "shows no sign of reading anything but the lungs",
    "tells nothing better than chance",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What an audit says.

    Attributes:
        kind: one of the six above.
        whole: the balanced accuracy of the run on whole images, out of fold; of findings their AUC,
            or its mean over several.
        background: that of heads that see the background alone.
        gap: what the background is worth to the run; None where it could not be swapped.
        chance: the score of guessing.
        of_findings: what it says of each finding; None of one that was not audited.
    """

    kind: str
    whole: Interval
    background: Interval
    gap: BackgroundGap | None
    chance: float
    of_findings: tuple["Verdict | None", ...] = ()

    def sentence(self, name: str) -> str:
        """Returns the verdict on a run of single labels in plain words."""
        whole = (
            f"balanced accuracy {short(self.whole)} on whole images, where {self.chance:.2f} is "
            "chance"
        )
        if self.kind == NOTHING:
            return f"{name} {self.kind}, so there is nothing to audit: {whole}."
        told = (
            f"{whole}; from the background alone heads on its features have "
            f"{short(self.background)}"
        )
        if self.gap is None:
            return f"{name} {self.kind}: {told}."
        swapped = (
            f"lungs put into an image of their own class are classified correctly in "
            f"{self.gap.same:.0%}, "
            f"into one of another class in {self.gap.other:.0%} (their class' probability falls "
            f"by {short(self.gap.certainty)}; {self.gap.images:,} images)"
        )
        return f"{name} {self.kind}: {told}; {swapped}. {self._outlook(self.gap)}"

    def _outlook(self, gap: BackgroundGap) -> str:
        if self.kind == SHORTCUT:
            return (
                "Expect a lower score on images of another origin; train on lungs alone: prepare "
                "with --pipeline 'gray | resize | mask'."
            )
        if self.kind == UNEXPLAINED:
            return "The two signs disagree: audit more images with --images."
        return f"A fall of more than {max(gap.certainty.high, 0):.2f} is ruled out."


def judge(regions: RegionMatrix, gap: BackgroundGap | None, random: np.random.Generator) -> Verdict:
    """Judges by two signs that are independent of one another.

    A shortcut is said to be used where the background tells the class, by heads that see nothing
    else, and the run's certainty falls where lungs get the background of another class; both by
    more than their 95 % intervals. Of heads on noise the first is luck in 2 to 6 of a hundred runs,
    and in 7 to 12 of a hundred findings (benchmarks/heads_on_noise.py); both together are rarer. Of
    findings each is judged so, and a run reads what is outside of the lungs
    where it does for one of them, or for their mean.

    Args:
        regions: of the run.
        gap: what happens where backgrounds are swapped; None where they could not be.
        random: draws the resamples.
    """
    whole, whole_of = regions.scores(AS_TRAINED, WHOLE, random)
    background, background_of = regions.scores(BACKGROUND, BACKGROUND, random)
    chance, findings = chance_of(regions.classes), []
    if are_findings(regions.classes):
        gaps = gap.of_findings if gap else [None] * len(whole_of)
        for signs in zip(whole_of, background_of, gaps, strict=True):
            is_audited = not np.isnan(signs[0].score)
            findings.append(_of_signs(*signs, chance) if is_audited else None)
    verdict = _of_signs(whole, background, gap, chance)
    reads = any(one and one.kind == SHORTCUT for one in findings)
    kind = SHORTCUT if reads else verdict.kind
    return replace(verdict, kind=kind, of_findings=tuple(findings))


def _of_signs(
    whole: Interval, background: Interval, gap: BackgroundGap | None, chance: float
) -> Verdict:
    return Verdict(_kind(whole, background, gap, chance), whole, background, gap, chance)


def _kind(whole: Interval, background: Interval, gap: BackgroundGap | None, chance: float) -> str:
    if not whole.low > chance:
        return NOTHING
    is_told = background.low > chance
    if gap is None:
        return UNTESTED
    is_followed = gap.certainty.low > 0
    if is_told and is_followed:
        return SHORTCUT
    if is_told:
        return UNUSED
    return UNEXPLAINED if is_followed else CLEAN


def short(interval: Interval) -> str:
    """Returns a score with its interval in two digits."""
    return f"{interval.score:.2f} ({interval.low:.2f} to {interval.high:.2f})"
