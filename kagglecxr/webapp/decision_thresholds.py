"""From which probability on a class is worth a second look, by out-of-fold predictions."""

import math
from pathlib import Path

import numpy as np

from kagglecxr.core.errors import CxrError, DataError
from kagglecxr.core.run_record import OOF
from kagglecxr.ensembling.operating_points import operating_points
from kagglecxr.inference.predictions import Predictions

SPECIFICITY = 0.9


def decision_thresholds(folder: Path, classes: int) -> list[float] | None:
    """Returns the probability of each class that 90 % of the images without it stay below.

    Args:
        folder: of a run or an ensemble.
        classes: how many it has.

    Returns:
        A threshold a class, NaN of one that has none; None without out-of-fold predictions of
        these classes.
    """
    try:
        oof = Predictions.load(folder / OOF)
    except CxrError:
        return None
    if oof.probabilities.shape[1] != classes:
        return None
    return [_threshold(oof, target) for target in range(classes)]


def _threshold(oof: Predictions, target: int) -> float:
    scores = oof.probabilities[:, target]
    if oof.truth.ndim == 1:
        is_target = oof.truth == target
    else:
        known = ~np.isnan(oof.truth[:, target])
        is_target, scores = oof.truth[known, target] == 1, scores[known]
    try:
        points = operating_points(is_target, scores, (SPECIFICITY,))
    except DataError:
        return math.nan
    (threshold,) = np.asarray(points["threshold"], np.float64)
    return float(threshold) if np.isfinite(threshold) else math.nan
