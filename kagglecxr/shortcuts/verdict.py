"""What an audit says of a run, in one line with its numbers."""

from dataclasses import dataclass

import numpy as np

from kagglecxr.core.intervals import Interval
from kagglecxr.shortcuts.background_gap import BackgroundGap
from kagglecxr.shortcuts.region_matrix import AS_TRAINED, RegionMatrix
from kagglecxr.shortcuts.regions import BACKGROUND, WHOLE

SHORTCUT, UNUSED, UNEXPLAINED, UNTESTED, CLEAN, NOTHING = (
    "reads what is outside of the lungs",
    "could read the background, with no sign that it does",
    "changes with the background, which tells no class by itself",
    "could not be tested on other backgrounds",
    "shows no sign of reading anything but the lungs",
    "tells the classes no better than chance",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What an audit says.

    Attributes:
        kind: one of the six above.
        whole: the balanced accuracy of the run on whole images, out of fold.
        background: that of heads that see the background alone.
        gap: what the background is worth to the run; None where it could not be swapped.
        chance: the balanced accuracy of guessing.
    """

    kind: str
    whole: Interval
    background: Interval
    gap: BackgroundGap | None
    chance: float

    def sentence(self, name: str) -> str:
        """Returns the verdict on a run of that name in plain words."""
        whole = (
            f"balanced accuracy {_of(self.whole)} on whole images, where {self.chance:.2f} is "
            "chance"
        )
        if self.kind == NOTHING:
            return f"{name} {self.kind}, so there is nothing to audit: {whole}."
        told = (
            f"{whole}; from the background alone heads on its features have {_of(self.background)}"
        )
        if self.gap is None:
            return f"{name} {self.kind}: {told}."
        swapped = (
            f"lungs put into an image of their own class are classified correctly in "
            f"{self.gap.same:.0%}, "
            f"into one of another class in {self.gap.other:.0%} (their class' probability falls "
            f"by {_of(self.gap.certainty)}; {self.gap.images:,} images)"
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
    more than their 95 % intervals. Either alone is luck in one of forty clean runs, both together
    in one of 1,600.

    Args:
        regions: of the run.
        gap: what happens where backgrounds are swapped; None where they could not be.
        random: draws the resamples.
    """
    whole = regions.score(AS_TRAINED, WHOLE, random)
    background = regions.score(BACKGROUND, BACKGROUND, random)
    chance = 1 / len(np.unique(regions.classes))
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


def _of(interval: Interval) -> str:
    return f"{interval.score:.2f} ({interval.low:.2f} to {interval.high:.2f})"
