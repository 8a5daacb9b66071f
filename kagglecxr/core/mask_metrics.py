"""How well predicted masks overlap with true ones, an image at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kagglecxr.core.registry import Registry

Masks = npt.NDArray[np.bool_]
"""(N, H, W), true in the lungs."""
Scores = npt.NDArray[np.float64]
"""(N,), one an image."""


@dataclass(frozen=True)
class OverlapCounts:
    """How many pixels of each image are in both masks, in one of them, or in none; all (N,)."""

    both: Scores
    only_predicted: Scores
    only_true: Scores
    neither: Scores


MASK_METRICS = Registry[Callable[[OverlapCounts], Scores]]("metric of masks")
"""Scores of images by their counts, greater is better.

Where both masks are empty, the image is right and scores 1; where one of them is, overlaps are 0.
"""


def count_overlap(predicted: Masks, true: Masks) -> OverlapCounts:
    """Counts the pixels of masks (N, H, W)."""
    axes = (1, 2)
    both = (predicted & true).sum(axis=axes).astype(np.float64)
    only_predicted = predicted.sum(axis=axes) - both
    only_true = true.sum(axis=axes) - both
    pixels = predicted.shape[1] * predicted.shape[2]
    return OverlapCounts(
        both, only_predicted, only_true, pixels - both - only_predicted - only_true
    )


@MASK_METRICS.add
def iou(counts: OverlapCounts) -> Scores:
    """Intersection over union (Jaccard)."""
    return _share(counts.both, counts.both + counts.only_predicted + counts.only_true)


@MASK_METRICS.add
def dice(counts: OverlapCounts) -> Scores:
    """Dice, which is F1: twice the intersection over the sum of both areas."""
    return _share(2 * counts.both, 2 * counts.both + counts.only_predicted + counts.only_true)


@MASK_METRICS.add
def precision(counts: OverlapCounts) -> Scores:
    """The share of the predicted mask that is true."""
    return _share(counts.both, counts.both + counts.only_predicted, counts.only_true)


@MASK_METRICS.add
def recall(counts: OverlapCounts) -> Scores:
    """The share of the true mask that is predicted."""
    return _share(counts.both, counts.both + counts.only_true, counts.only_predicted)


@MASK_METRICS.add
def accuracy(counts: OverlapCounts) -> Scores:
    """The share of all pixels that are right."""
    right = counts.both + counts.neither
    return right / (right + counts.only_predicted + counts.only_true)


def _share(part: Scores, whole: Scores, other: Scores | None = None) -> Scores:
    """The share, and where there is no whole 1, or 0 if the other mask is not empty."""
    empty = np.ones_like(part) if other is None else (other == 0).astype(np.float64)
    return np.divide(part, whole, out=empty, where=whole > 0)
