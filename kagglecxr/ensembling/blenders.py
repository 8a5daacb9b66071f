"""Methods that fit a blend to out-of-fold predictions, by name.

To add one, write its function here and register it; `ensemble --blend` then takes its name.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from kagglecxr.core.metrics import Labels, Metric
from kagglecxr.core.registry import Registry
from kagglecxr.ensembling.blends import (
    FittedBlend,
    Runs,
    StackedBlend,
    WeightedBlend,
    column_quantiles,
    equal_blend,
)
from kagglecxr.inference.predictions import log_probabilities

Blender: TypeAlias = Callable[[Runs, Labels, Metric, np.random.Generator], FittedBlend]
"""Fits a blend to predictions (runs, N, targets) of images with these target ids (N,)."""

BLENDERS = Registry[Blender]("blend")

BAGS, STEPS = 20, 20
"""Greedy selection: how many bags of runs, and steps in each."""
STACKING_PENALTY = 0.1


@BLENDERS.add
def mean(runs: Runs, truth: Labels, metric: Metric, random: np.random.Generator) -> WeightedBlend:
    """The mean of the probabilities."""
    return equal_blend(len(runs))


@BLENDERS.add
def logit_mean(
    runs: Runs, truth: Labels, metric: Metric, random: np.random.Generator
) -> WeightedBlend:
    """The mean of the logarithms, scaled to sum to 1: the geometric mean."""
    return equal_blend(len(runs), "logit")


@BLENDERS.add
def rank_mean(
    runs: Runs, truth: Labels, metric: Metric, random: np.random.Generator
) -> WeightedBlend:
    """The mean of the ranks: for runs that order images alike and are not calibrated alike."""
    return WeightedBlend(equal_blend(len(runs)).weights, "rank", column_quantiles(runs))


@BLENDERS.add
def greedy(runs: Runs, truth: Labels, metric: Metric, random: np.random.Generator) -> WeightedBlend:
    """Adds, with repetition, whichever run helps the metric most (Caruana et al. 2004).

    Each of several bags has a random majority of the runs to choose from; the weights are the mean
    of the bags' shares, which keeps a lucky run from taking it all (section 2.3 there).
    """
    members = len(runs)
    weights = np.zeros(members)
    for _ in range(BAGS):
        chosen = np.sort(random.choice(members, members // 2 + 1, replace=False))
        counts = _greedy_counts(runs[chosen], truth, metric)
        weights[chosen] += counts / counts.sum() / BAGS
    return WeightedBlend([float(weight) for weight in weights])


@BLENDERS.add
def weights(
    runs: Runs, truth: Labels, metric: Metric, random: np.random.Generator
) -> WeightedBlend:
    """The weights of the mean with the least log loss, by SciPy's SLSQP.

    The log loss has a gradient, which a metric of decisions has not; it weighs targets alike where
    the metric does.
    """
    of_truth = runs[:, np.arange(len(truth)), truth]
    importance = _importance(truth, metric)

    def log_loss(given: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        mixed = np.clip(given @ of_truth, 1e-6, None)
        return float(-(importance * np.log(mixed)).sum()), -(of_truth / mixed) @ importance

    found = minimize(
        log_loss,
        equal_blend(len(runs)).weights,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(runs),
        constraints={"type": "eq", "fun": lambda given: given.sum() - 1.0, "jac": np.ones_like},
    )
    # What is below a thousandth is the solver's tolerance, and would cost a whole run's prediction.
    kept = np.where(found.x < 1e-3, 0.0, found.x)
    return WeightedBlend([float(weight) for weight in kept / kept.sum()])


@BLENDERS.add
def stacking(
    runs: Runs, truth: Labels, metric: Metric, random: np.random.Generator
) -> StackedBlend:
    """A regularised logistic regression on the logarithms of the runs' probabilities."""
    features = np.concatenate([log_probabilities(run) for run in runs], axis=1)
    targets, seen = runs.shape[2], np.unique(truth)
    if len(seen) == 1:
        # The rare target of two may be missing where two folds are left out.
        return _stacked(np.zeros((1, features.shape[1])), np.zeros(1), seen, targets)
    class_weight: Literal["balanced"] | None = "balanced" if _is_balanced(metric) else None
    model = LogisticRegression(C=STACKING_PENALTY, class_weight=class_weight, solver="newton-cg")
    model.fit(features, truth)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
        intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
    return _stacked(coefficients, intercepts, model.classes_, targets)


def _stacked(
    coefficients: npt.NDArray[np.float64],
    intercepts: npt.NDArray[np.float64],
    seen: Labels,
    targets: int,
) -> StackedBlend:
    """The blend of all targets; one without an image in the fit is never predicted."""
    rows, constants = np.zeros((targets, coefficients.shape[1])), np.full(targets, -1e3)
    rows[seen], constants[seen] = coefficients, intercepts
    return StackedBlend([[float(v) for v in row] for row in rows], [float(b) for b in constants])


def _greedy_counts(runs: Runs, truth: Labels, metric: Metric) -> npt.NDArray[np.float64]:
    """How often each run is in the best selection on the way."""
    counts, total = np.zeros(len(runs)), np.zeros(runs.shape[1:])
    # Where no score is a number, as the AUC of one target alone, all have the same part.
    best, best_counts = -np.inf, np.ones(len(runs))
    for step in range(1, STEPS + 1):
        scores = [_goodness(metric, truth, (total + run) / step) for run in runs]
        chosen = int(np.argmax(scores))
        total, counts = total + runs[chosen], counts.copy()
        counts[chosen] += 1
        if scores[chosen] > best:
            best, best_counts = scores[chosen], counts
    return best_counts


def _goodness(metric: Metric, truth: Labels, probabilities: npt.NDArray[np.float64]) -> float:
    score = metric(truth, probabilities)
    return metric.gain(score, 0.0) if np.isfinite(score) else -np.inf


def _is_balanced(metric: Metric) -> bool:
    return metric.name == "balanced_accuracy" or metric.name.startswith("macro_")


def _importance(truth: Labels, metric: Metric) -> npt.NDArray[np.float64]:
    """(N,) the weights of images, with the sum 1."""
    if not _is_balanced(metric):
        return np.full(len(truth), 1.0 / len(truth))
    _, position, counts = np.unique(truth, return_inverse=True, return_counts=True)
    importance: npt.NDArray[np.float64] = 1.0 / counts[position] / len(counts)
    return importance
