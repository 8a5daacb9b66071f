"""How far a run's answers depend on the background: measured by putting lungs into other images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kagglecxr.core.intervals import Interval, percentile_interval
from kagglecxr.core.progress import Reporter
from kagglecxr.shortcuts.background_swap import Swaps, draw_swaps, swapped_images
from kagglecxr.shortcuts.held_out import AuditedImages, HeldOutModels

RESAMPLES = 1000
COMPOSED = 3200
"""Images that are composed, at most, unless a single round needs more: the more, the narrower are
the intervals."""
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BackgroundGap:
    """What a run answers where lungs are in the background of another image.

    Attributes:
        right: (classes, classes) shares of right answers: a row for the class of the lungs, a
            column for that of the background; NaN where there are none.
        accuracy: the mean of its diagonal less the mean of the rest.
        certainty: the same of the probability of the lungs' class, which tells a smaller gap.
        images: how many gave their lungs.
        rounds: into how many images of each class each was put.
    """

    right: Values
    accuracy: Interval
    certainty: Interval
    images: int
    rounds: int

    @property
    def same(self) -> float:
        """The share of right answers where the background is of the lungs' class."""
        return _mean(np.diag(self.right))

    @property
    def other(self) -> float:
        """That where it is of another class."""
        return _mean(_without_diagonal(self.right))


def measure_background_gap(
    audited: AuditedImages, models: HeldOutModels, random: np.random.Generator, reporter: Reporter
) -> BackgroundGap | None:
    """Puts the lungs of each image into some images of each class, and asks the run.

    Lungs and background are of one fold's held-out images, which that fold is asked about.

    Args:
        audited: images that can be compared, see `comparable_rows`.
        models: of the run.
        random: draws backgrounds and resamples.
        reporter: shows the progress.

    Returns:
        None where no image has a background of each class and of another patient.
    """
    present = len(np.unique(audited.classes))
    rounds = max(1, COMPOSED // max(1, len(audited.ids) * present))
    parts, probabilities = [], []
    folds = np.unique(audited.folds)
    with reporter.bar("Backgrounds", len(folds)) as bar:
        for fold in folds:
            usable = audited.folds == fold
            swaps = draw_swaps(audited.classes, audited.groups, usable, rounds, random)
            if len(swaps.lungs):
                images = swapped_images(audited.images, audited.lungs, swaps)
                asked = np.full(len(images), fold)
                probabilities.append(models.predict(images, asked).probabilities)
                parts.append(swaps)
            bar.advance()
    if not parts:
        return None
    swaps = Swaps(
        np.concatenate([part.lungs for part in parts]),
        np.concatenate([part.background for part in parts]),
    )
    found = np.concatenate(probabilities)
    return gap_of(found, swaps, audited.classes, audited.groups, rounds, random)


def gap_of(
    probabilities: npt.NDArray[np.floating],
    swaps: Swaps,
    classes: npt.NDArray[np.intp],
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
    count = probabilities.shape[1]
    lungs, background = classes[swaps.lungs], classes[swaps.background]
    cells = lungs * count + background
    right = (probabilities.argmax(axis=1) == lungs).astype(np.float64)
    certain = probabilities[np.arange(len(lungs)), lungs].astype(np.float64)
    _, number = np.unique(groups, return_inverse=True)
    patients = int(number.max()) + 1

    def table(values: Values, weights: Values) -> Values:
        total = np.bincount(cells, weights * values, count**2)
        weight = np.bincount(cells, weights, count**2)
        shares = np.divide(total, weight, out=np.full(count**2, np.nan), where=weight > 0)
        return np.asarray(shares.reshape(count, count))

    drawn = []
    for _ in range(RESAMPLES):
        times = np.bincount(random.integers(patients, size=patients), minlength=patients)
        weights = (times[number[swaps.lungs]] * times[number[swaps.background]]).astype(np.float64)
        drawn.append([_gap(table(values, weights)) for values in (right, certain)])
    once = np.ones(len(cells))
    found = [
        percentile_interval(_gap(table(values, once)), np.array(of_values))
        for values, of_values in zip((right, certain), np.array(drawn).T, strict=True)
    ]
    return BackgroundGap(
        table(right, once), found[0], found[1], len(np.unique(swaps.lungs)), rounds
    )


def _gap(shares: Values) -> float:
    return _mean(np.diag(shares)) - _mean(_without_diagonal(shares))


def _mean(shares: Values) -> float:
    """The mean of those that are known; NaN where none is."""
    known = shares[~np.isnan(shares)]
    return float(known.mean()) if len(known) else float("nan")


def _without_diagonal(shares: Values) -> Values:
    return np.where(np.eye(len(shares), dtype=np.bool_), np.nan, shares)
