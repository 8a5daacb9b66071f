"""Decision thresholds of several targets, as weights of their probabilities.

An image is said to be of the target with the largest weighted probability. For two targets, that is
a threshold of the last one's probability. Findings have thresholds of their own, as weights of
their odds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from itertools import cycle

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from kagglecxr.core.errors import SettingError
from kagglecxr.core.metrics import Labels, Metric, Probabilities, Truth
from kagglecxr.ensembling.activations import ACTIVATIONS, ActivationName, activation_of
from kagglecxr.ensembling.calibration import Transform, cross_fit
from kagglecxr.ensembling.finding_thresholds import fit_odds_weights
from kagglecxr.inference.predictions import log_probabilities

ClassWeights = npt.NDArray[np.float64]
"""(targets,), positive; their sum is the number of targets, so that weights of 1 change nothing."""

CANDIDATES = 64
"""How many weights of a target are tried before the search narrows to those around the best."""


@dataclass(frozen=True)
class ThresholdJudgement:
    """What class weights gain, and how much of it is luck.

    Attributes:
        score: with equal weights.
        apparent_gain: over that, on the images that the weights were fitted on.
        nested_gain: over that, on each fold with weights fitted on all others.
    """

    metric: Metric
    score: float
    apparent_gain: float
    nested_gain: float

    def __str__(self) -> str:
        name = self.metric.title
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
    probabilities: Probabilities, weights: ClassWeights, activation: ActivationName = "softmax"
) -> npt.NDArray[np.float32]:
    """Returns probabilities (N, targets) times the weights (targets,), with rows that sum to 1.

    Of findings, whose activation is "sigmoid", the odds are weighed.
    """
    return np.asarray(ACTIVATIONS[activation].weigh(probabilities, weights), np.float32)


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


def fit_weights(metric: Metric, probabilities: Probabilities, truth: Truth) -> ClassWeights:
    """Fits class weights, or weights of the odds of findings, to a metric of decisions.

    Raises:
        SettingError: the metric scores probabilities, not decisions.
    """
    fit = fit_odds_weights if truth.ndim == 2 else fit_class_weights
    return fit(metric, probabilities, truth)


def fit_thresholds(metric: Metric, probabilities: Probabilities, truth: Truth) -> Transform:
    """Fits weights and returns what applies them, for `cross_fit`."""
    weights = fit_weights(metric, probabilities, truth)
    return partial(apply_class_weights, weights=weights, activation=activation_of(truth))


def nested_gain(
    metric: Metric, probabilities: Probabilities, truth: Labels, folds: npt.NDArray[np.integer]
) -> ThresholdJudgement:
    """Measures what class weights gain on each fold (N,) as fitted on all others.

    On the images they were fitted on they gain more, since they follow the noise of those too.

    Raises:
        SettingError: the metric scores probabilities, not decisions.
    """
    fit = partial(fit_thresholds, metric)
    score = metric(truth, probabilities)
    apparent = metric(truth, fit(probabilities, truth)(probabilities))
    nested = metric(truth, cross_fit(fit, probabilities, truth, folds))
    return ThresholdJudgement(
        metric, score, metric.gain(apparent, score), metric.gain(nested, score)
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
