"""Decision thresholds of several targets, as weights of their probabilities.

An image is said to be of the target with the largest weighted probability. For two targets, that is
a threshold of the last one's probability.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import cycle

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import softmax
from sklearn.metrics import roc_curve
from sklearn.model_selection import LeaveOneGroupOut

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.metrics import Decisions, Labels, Metric, Probabilities
from kagglecxr.ensembling.calibration import Transform, cross_fit
from kagglecxr.inference.predictions import log_probabilities

ClassWeights = npt.NDArray[np.float64]
"""(targets,), positive; their sum is the number of targets, so that weights of 1 change nothing."""

Scores = npt.NDArray[np.floating]

CANDIDATES = 64
"""How many weights of a target are tried before the search narrows to those around the best."""
SPECIFICITIES = (0.8, 0.9, 0.95)


@dataclass(frozen=True)
class ThresholdJudgement:
    """What class weights gain, and how much of it is luck.

    Attributes:
        metric: its name.
        score: with equal weights.
        apparent_gain: over that, on the images that the weights were fitted on.
        nested_gain: over that, on each fold with weights fitted on all others.
    """

    metric: str
    score: float
    apparent_gain: float
    nested_gain: float

    def __str__(self) -> str:
        name = self.metric.replace("_", " ")
        if self.apparent_gain <= 0:
            return f"Moving the thresholds gains no {name}."
        if self.nested_gain <= 0:
            verdict = "all of it is luck"
        elif self.nested_gain < self.apparent_gain / 2:
            verdict = "most of it is luck"
        else:
            verdict = "most of it holds"
        return (
            f"Moving the thresholds gains {self.apparent_gain:.4f} {name} on the images they were "
            f"fitted on, and {self.nested_gain:.4f} on others (nested): {verdict}."
        )


def apply_class_weights(
    probabilities: Probabilities, weights: ClassWeights
) -> npt.NDArray[np.float32]:
    """Returns probabilities (N, targets) times the weights (targets,), with rows that sum to 1."""
    weighted = probabilities * weights
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True), np.float32)


def weights_of_threshold(threshold: float) -> ClassWeights:
    """Returns the weights by which the second of two targets needs more than this probability.

    >>> weights_of_threshold(0.75).tolist()
    [1.5, 0.5]
    """
    return 2.0 * np.array([threshold, 1.0 - threshold])


def threshold_of_weights(weights: ClassWeights) -> float:
    """Returns the threshold of the second of two targets that is the same as these weights."""
    return float(weights[0] / weights.sum())


def fit_class_weights(metric: Metric, probabilities: Probabilities, truth: Labels) -> ClassWeights:
    """Fits class weights to a metric of decisions by coordinate ascent from equal weights.

    One weight after the other is set to the best of those between which decisions change, until
    none improves the score; of equally good ones, to that nearest to 1. The best of all is certain
    only for two targets and up to `CANDIDATES` such weights. scikit-learn's
    TunedThresholdClassifierCV is for two targets only, and tries equally spaced thresholds.

    `probabilities` are (N, targets), `truth`, target ids, (N,).

    Raises:
        SettingError: the metric scores probabilities, not decisions.
    """
    if metric.needs_probabilities:
        raise SettingError(
            "Class weights are fitted to a metric of decisions. Received: "
            f"{metric.name}, which scores probabilities. Leave thresholds as they are."
        )
    targets = probabilities.shape[1]

    def score(logs: npt.NDArray[np.float64]) -> float:
        # Rounded, since equally good decisions may differ in the last digit.
        return round(metric.gain(metric(truth, probabilities * np.exp(logs)), 0.0), 12)

    logs = np.zeros(targets)
    best, settled = score(logs), 0
    for target in cycle(range(targets)):
        moved, reached = _best_of(_candidates(probabilities, truth, logs, target), score)
        if reached > best:
            logs, best, settled = moved, reached, 0
        settled += 1
        if settled == targets:
            break
    return np.asarray(targets * softmax(logs), np.float64)


def nested_gain(
    metric: Metric, probabilities: Probabilities, truth: Labels, folds: npt.NDArray[np.integer]
) -> ThresholdJudgement:
    """Measures what class weights gain on each fold (N,) as fitted on all others.

    On the images they were fitted on they gain more, since they follow the noise of those too.

    Raises:
        SettingError: the metric scores probabilities, not decisions.
    """

    def fit(probabilities: Probabilities, truth: Labels) -> Transform:
        weights = fit_class_weights(metric, probabilities, truth)
        return partial(apply_class_weights, weights=weights)

    score = metric(truth, probabilities)
    apparent = metric(truth, fit(probabilities, truth)(probabilities))
    nested = metric(truth, cross_fit(fit, probabilities, truth, folds))
    return ThresholdJudgement(
        metric.name, score, metric.gain(apparent, score), metric.gain(nested, score)
    )


def pool_probabilities(
    probabilities: Probabilities, pools: Sequence[Sequence[int]]
) -> npt.NDArray[np.float32]:
    """Returns (N, targets), the sums of the columns of each target's classes.

    Raises:
        SettingError: a class is in no pool, or in two.
    """
    _check_pools(pools, probabilities.shape[1])
    sums = [probabilities[:, list(pool)].sum(axis=1, dtype=np.float64) for pool in pools]
    return np.stack(sums, axis=1).astype(np.float32)


def pool_labels(truth: Labels, pools: Sequence[Sequence[int]]) -> npt.NDArray[np.intp]:
    """Returns the target ids (N,) of class ids (N,); -1, a label that is not known, stays.

    Raises:
        SettingError: a class is in no pool, or in two.
    """
    classes = sum(len(pool) for pool in pools)
    _check_pools(pools, max(classes, int(truth.max()) + 1))
    target_of = np.full(classes + 1, -1, np.intp)
    for target, pool in enumerate(pools):
        target_of[list(pool)] = target
    return target_of[truth]


def operating_points(
    is_target: Decisions, scores: Scores, specificities: Sequence[float] = SPECIFICITIES
) -> pd.DataFrame:
    """Returns the highest sensitivity of one target at each specificity or a better one.

    A score (N,) of at least the threshold says that the image is of the target. Columns are
    min_specificity, threshold, sensitivity and specificity; the threshold is infinite where no
    image may be said to be of the target.

    Raises:
        DataError: all images are of the target, or none.
    """
    if is_target.all() or not is_target.any():
        raise DataError(
            "Sensitivity and specificity need images of a target and others. Received: "
            f"{int(is_target.sum())} of {len(is_target)} are of it. Choose another target."
        )
    false_positives, sensitivity, threshold = roc_curve(is_target, scores, drop_intermediate=False)
    # argmax is the first of equal sensitivities, which has the most specificity.
    points = [sensitivity[false_positives <= 1 - s + 1e-12].argmax() for s in specificities]
    return pd.DataFrame(
        {
            "min_specificity": specificities,
            "threshold": threshold[points].astype(np.float64),
            "sensitivity": sensitivity[points],
            "specificity": 1.0 - false_positives[points],
        }
    )


def nested_operating_points(
    is_target: Decisions,
    scores: Scores,
    folds: npt.NDArray[np.integer],
    specificities: Sequence[float] = SPECIFICITIES,
) -> pd.DataFrame:
    """Adds what thresholds reach on each fold (N,) as chosen on all others, as nested_ columns.

    Raises:
        DataError: all images of the other folds are of the target, or none.
    """
    table = operating_points(is_target, scores, specificities)
    decided = np.empty((len(scores), len(table)), np.bool_)
    for others, own in LeaveOneGroupOut().split(scores, groups=folds):
        chosen = operating_points(is_target[others], scores[others], specificities)
        decided[own] = scores[own, np.newaxis] >= chosen["threshold"].to_numpy()
    table["nested_sensitivity"] = decided[is_target].mean(axis=0)
    table["nested_specificity"] = 1.0 - decided[~is_target].mean(axis=0)
    return table


def _check_pools(pools: Sequence[Sequence[int]], classes: int) -> None:
    if sorted(label for pool in pools for label in pool) != list(range(classes)):
        raise SettingError(
            f"Pools hold each class once. Received: {[list(pool) for pool in pools]} for {classes} "
            "classes. Name every class in one pool."
        )


def _candidates(
    probabilities: Probabilities, truth: Labels, logs: npt.NDArray[np.float64], target: int
) -> npt.NDArray[np.float64]:
    """Returns (candidates, targets) logarithms of weights in which one target's differs, rising.

    As a target's weight rises, images come over to it. The best is where those that are of it end
    and others begin, since a right decision more does not harm a score.
    """
    scaled = log_probabilities(probabilities) + logs
    needed = np.delete(scaled, target, axis=1).max(axis=1) - scaled[:, target]
    is_right = truth == target
    order = np.lexsort((is_right, needed))
    needed, is_right = needed[order], is_right[order]
    ends = np.flatnonzero(is_right[:-1] & ~is_right[1:] & (np.diff(needed) > 0))
    between = (needed[ends] + needed[ends + 1]) / 2.0
    # A factor of 2 beyond the first and the last: no image, and all of them.
    added = np.concatenate([[needed[0] - np.log(2.0)], between, [needed[-1] + np.log(2.0)]])
    return logs + np.outer(added, np.arange(len(logs)) == target)


def _best_of(
    candidates: npt.NDArray[np.float64], score: Callable[[npt.NDArray[np.float64]], float]
) -> tuple[npt.NDArray[np.float64], float]:
    """The best candidate and its score, of equal ones the nearest to 0, by narrowing steps."""

    @cache
    def preference(position: int) -> tuple[float, float]:
        return score(candidates[position]), -float(np.abs(candidates[position]).max())

    best, low, high, step = 0, 0, len(candidates), len(candidates)
    while step > 1:
        step = -(-(high - low) // CANDIDATES)
        best = max([best, *range(low, high, step)], key=preference)
        low, high = max(low, best - step + 1), min(high, best + step)
    return candidates[best], preference(best)[0]
