"""How far a run's answers depend on the background: measured by putting lungs into other images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kagglecxr.core.intervals import Interval, percentile_interval
from kagglecxr.core.progress import Reporter
from kagglecxr.shortcuts.background_swap import Swaps, draw_swaps, swapped_images
from kagglecxr.shortcuts.composed_images import ComposedImages, RankedImages
from kagglecxr.shortcuts.held_out import AuditedImages, HeldOutModels
from kagglecxr.shortcuts.problems import (
    UNKNOWN,
    Floats,
    Numbers,
    Values,
    are_findings,
    class_ids,
    class_probabilities,
    mean_known,
)

RESAMPLES = 1000
COMPOSED = 3200
"""Images that are composed, at most, unless a single round needs more: the more, the narrower are
the intervals."""


@dataclass(frozen=True)
class BackgroundGap:
    """What a run answers where lungs are in the background of another image.

    The classes of a finding are absent and present.

    Attributes:
        right: (classes, classes) shares of right answers: a row for the class of the lungs, a
            column for that of the background; NaN where there are none. Of a finding AUCs, see
            `RankedImages`; of several their mean.
        accuracy: the mean of its diagonal less the mean of the rest. Of a finding, the AUC where
            backgrounds are of the lungs' label less that where they are of the other one.
        certainty: the same of the probability of the lungs' class, which tells a smaller gap. Of a
            finding, by how much its probability is higher in the background of one that has it.
        images: how many gave their lungs.
        rounds: into how many images of each class each was put.
        of_findings: the gap of each finding, of which this is the mean; None where there is none.
    """

    right: Values
    accuracy: Interval
    certainty: Interval
    images: int
    rounds: int
    of_findings: tuple["BackgroundGap | None", ...] = ()

    @property
    def same(self) -> float:
        """The share of right answers where the background is of the lungs' class."""
        return mean_known(np.diag(self.right))

    @property
    def other(self) -> float:
        """That where it is of another class."""
        return mean_known(_without_diagonal(self.right))


def measure_background_gap(
    audited: AuditedImages, models: HeldOutModels, random: np.random.Generator, reporter: Reporter
) -> BackgroundGap | None:
    """Puts the lungs of each image into some images of each class, and asks the run.

    Lungs and background are of one fold's held-out images, which that fold is asked about. Each
    finding has composed images of its own, of as many images with it as without.

    Args:
        audited: images that can be compared, see `comparable_cells`.
        models: of the run.
        random: draws backgrounds and resamples.
        reporter: shows the progress.

    Returns:
        None where no image has a background of each class and of another patient.
    """
    folds, truth = np.unique(audited.folds), audited.classes
    problems = class_ids(truth)
    if are_findings(truth):
        problems = [_as_many_of_either(one, audited.folds, random) for one in problems]
    known = [one[one >= 0] for one in problems]
    rounds = max(1, COMPOSED // max(1, sum(len(one) * len(np.unique(one)) for one in known)))
    composed = []
    with reporter.bar("Backgrounds", len(folds) * len(problems)) as bar:
        for number, classes in enumerate(problems):
            parts = []
            for fold in folds:
                usable = (classes >= 0) & (audited.folds == fold)
                swaps = draw_swaps(classes, audited.groups, usable, rounds, random)
                if len(swaps.lungs):
                    images = swapped_images(audited.images, audited.lungs, swaps)
                    outputs = models.predict(images, np.full(len(images), fold)).probabilities
                    parts.append((swaps, class_probabilities(truth, outputs)[number]))
                bar.advance()
            composed.append(_joined(parts))
    if not any(composed):
        return None
    if not are_findings(truth):
        [(swaps, probabilities)] = filter(None, composed)
        return gap_of(probabilities, swaps, problems[0], audited.groups, rounds, random)
    ranked = [
        one and RankedImages(one[0], classes, one[1])
        for one, classes in zip(composed, problems, strict=True)
    ]
    return gap_of_findings(ranked, audited.groups, rounds, random)


def _as_many_of_either(
    classes: Numbers, folds: npt.NDArray[np.intp], random: np.random.Generator
) -> Numbers:
    """(N,) the classes of as many images with a finding as without in each fold, -1 of the others.

    Most findings are rare, and composed images of all that have none would take most of the time.
    """
    kept = np.full_like(classes, UNKNOWN)
    for fold in np.unique(folds):
        rows = [
            random.permutation(np.flatnonzero((folds == fold) & (classes == c))) for c in (0, 1)
        ]
        for some in rows:
            chosen = some[: min(map(len, rows))]
            kept[chosen] = classes[chosen]
    return kept


def _joined(parts: Sequence[tuple[Swaps, Floats]]) -> tuple[Swaps, Floats] | None:
    """The swaps of all folds, and what is predicted of them; None where there are none."""
    if not parts:
        return None
    swaps, probabilities = zip(*parts, strict=True)
    lungs, background = (
        np.concatenate([getattr(each, name) for each in swaps]) for name in ("lungs", "background")
    )
    return Swaps(lungs, background), np.concatenate(probabilities)


def gap_of(
    probabilities: Floats,
    swaps: Swaps,
    classes: Numbers,
    groups: npt.NDArray[np.object_],
    rounds: int,
    random: np.random.Generator,
) -> BackgroundGap:
    """Measures the gap in what was predicted of composed images.

    Intervals are of patients drawn anew, each image counted as often as the patient of its lungs
    times that of its background was drawn (the pigeonhole bootstrap, Owen 2007, "The pigeonhole
    bootstrap", equation 6): an image that lends its background to others makes these alike.

    Args:
        probabilities: (swaps, classes).
        swaps: whose lungs and whose background each is.
        classes: (N,) the true classes of all images.
        groups: (N,) their patients.
        rounds: into how many images of each class each was put.
        random: draws the resamples.
    """
    composed = ComposedImages(swaps, classes, probabilities)
    return _gaps_of([composed], groups, rounds, random)[0]


def gap_of_findings(
    composed: Sequence[RankedImages | None],
    groups: npt.NDArray[np.object_],
    rounds: int,
    random: np.random.Generator,
) -> BackgroundGap:
    """Measures the gap of each finding and their mean, with intervals as of `gap_of`.

    Args:
        composed: of each finding; None where it could not be composed.
        groups: (N,) the patients of all images.
        rounds: into how many images of each label each was put.
        random: draws the resamples, which are the same for all findings.
    """
    mean, *each = _gaps_of([one for one in composed if one], groups, rounds, random)
    known = iter(each)
    of_findings = tuple(None if one is None else next(known) for one in composed)
    return replace(mean, of_findings=of_findings)


def _gaps_of(
    composed: Sequence[ComposedImages],
    groups: npt.NDArray[np.object_],
    rounds: int,
    random: np.random.Generator,
) -> list[BackgroundGap]:
    """The mean gap of some problems, and the gap of each."""
    _, number = np.unique(groups, return_inverse=True)
    patients = int(number.max()) + 1
    drawn = np.empty((RESAMPLES, len(composed), 2))
    for draw in drawn:
        times = np.bincount(random.integers(patients, size=patients), minlength=patients)
        for one, gaps in zip(composed, draw, strict=True):
            swaps = one.swaps
            both = times[number[swaps.lungs]] * times[number[swaps.background]]
            weights = both.astype(np.float64)
            gaps[:] = _gap(one.right(weights)), _gap(one.certainty(weights))
    once = [np.ones(len(one.swaps.lungs)) for one in composed]
    rights = [one.right(weights) for one, weights in zip(composed, once, strict=True)]
    certainties = [one.certainty(weights) for one, weights in zip(composed, once, strict=True)]

    def gap(some: slice) -> BackgroundGap:
        accuracy, certainty = (
            percentile_interval(
                float(np.mean([_gap(table) for table in tables[some]])),
                drawn[:, some, measure].mean(axis=1),
            )
            for measure, tables in enumerate((rights, certainties))
        )
        images = len(np.unique(np.concatenate([one.swaps.lungs for one in composed[some]])))
        right = np.mean(rights[some], axis=0)
        return BackgroundGap(right, accuracy, certainty, images, rounds)

    return [gap(slice(None)), *(gap(slice(n, n + 1)) for n in range(len(composed)))]


def _gap(shares: Values) -> float:
    return mean_known(np.diag(shares)) - mean_known(_without_diagonal(shares))


def _without_diagonal(shares: Values) -> Values:
    return np.where(np.eye(len(shares), dtype=np.bool_), np.nan, shares)
