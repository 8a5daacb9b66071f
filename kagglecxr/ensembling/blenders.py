"""Methods that fit a blend to out-of-fold predictions, by name.

To add one, write its function here and register it; `ensemble --blend` then takes its name.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from kagglecxr.core.metrics import Labels, Metric, Truth
from kagglecxr.core.registry import Registry
from kagglecxr.ensembling.activations import ACTIVATIONS, activation_of
from kagglecxr.ensembling.blends import (
    FittedBlend,
    Runs,
    StackedBlend,
    WeightedBlend,
    column_quantiles,
    equal_blend,
)

Blender: TypeAlias = Callable[[Runs, Truth, Metric, np.random.Generator], FittedBlend]
"""Fits a blend to predictions (runs, N, targets) of images of which this is true."""

BLENDERS = Registry[Blender]("blend")

BAGS, STEPS = 20, 20
"""Greedy selection: how many bags of runs, and steps in each."""
STACKING_PENALTY = 0.1


@BLENDERS.add
def mean(runs: Runs, truth: Truth, metric: Metric, random: np.random.Generator) -> WeightedBlend:
    """The mean of the probabilities."""
    return equal_blend(len(runs), activation_of(truth))


@BLENDERS.add
def logit_mean(
    runs: Runs, truth: Truth, metric: Metric, random: np.random.Generator
) -> WeightedBlend:
    """The mean of the logarithms, scaled to sum to 1, or of the log odds: the geometric mean."""
    return equal_blend(len(runs), activation_of(truth), "logit")


@BLENDERS.add
def rank_mean(
    runs: Runs, truth: Truth, metric: Metric, random: np.random.Generator
) -> WeightedBlend:
    """The mean of the ranks: for runs that order images alike and are not calibrated alike."""
    weights = equal_blend(len(runs)).weights
    return WeightedBlend(weights, "rank", column_quantiles(runs), activation_of(truth))


@BLENDERS.add
def greedy(runs: Runs, truth: Truth, metric: Metric, random: np.random.Generator) -> WeightedBlend:
    """Adds, with repetition, whichever run helps the metric most (Caruana et al. 2004).

    Each of several bags has a random majority of the runs to choose from; the weights are the mean
    of the bags' shares, which keeps a lucky run from taking it all (section 2.3 there).
    """
    members = len(runs)
    weights = np.zeros(members)

    # Of a few runs many bags are alike, and so are many of their mixtures.
    @cache
    def goodness(counts: tuple[int, ...]) -> float:
        shares = np.array(counts) / sum(counts)
        return _goodness(metric, truth, np.einsum("r,rnk->nk", shares, runs))

    @cache
    def shares_of(bag: tuple[int, ...]) -> npt.NDArray[np.float64]:
        return _greedy_shares(bag, members, goodness)

    for _ in range(BAGS):
        bag = random.choice(members, members // 2 + 1, replace=False)
        weights += shares_of(tuple(sorted(bag.tolist()))) / BAGS
    return _weighted(weights, truth)


@BLENDERS.add
def weights(runs: Runs, truth: Truth, metric: Metric, random: np.random.Generator) -> WeightedBlend:
    """The weights of the mean with the least log loss, by SciPy's SLSQP.

    The log loss has a gradient, which a metric of decisions has not; it weighs targets alike where
    the metric does.
    """
    activation = ACTIVATIONS[activation_of(truth)]
    of_truth = np.stack([activation.of_truth(run, truth) for run in runs])
    importance = _importance(activation.kinds(truth), metric)

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
    return _weighted(kept / kept.sum(), truth)


@BLENDERS.add
def stacking(runs: Runs, truth: Truth, metric: Metric, random: np.random.Generator) -> StackedBlend:
    """A regularised logistic regression on the scores of the runs' probabilities.

    That of a finding takes what the runs say of it alone: rare ones would not bear more.
    """
    activation = activation_of(truth)
    features = np.concatenate([ACTIVATIONS[activation].scores(run) for run in runs], axis=1)
    if activation == "sigmoid":
        return _stacked_findings(features, truth)
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


def _weighted(weights: npt.NDArray[np.float64], truth: Truth) -> WeightedBlend:
    return WeightedBlend([float(weight) for weight in weights], activation=activation_of(truth))


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


def _stacked_findings(features: npt.NDArray[np.float64], truth: Truth) -> StackedBlend:
    """The regressions of all findings; one with no image of a kind in the fit keeps its scores."""
    findings = truth.shape[1]
    runs = features.shape[1] // findings
    rows, constants = np.zeros((findings, features.shape[1])), np.zeros(findings)
    for finding in range(findings):
        own, known = np.arange(runs) * findings + finding, ~np.isnan(truth[:, finding])
        rows[finding, own] = 1.0 / runs
        is_there = truth[known, finding] == 1
        if len(np.unique(is_there)) == 2:
            model = LogisticRegression(C=STACKING_PENALTY, solver="newton-cg")
            model.fit(features[known][:, own], is_there)
            rows[finding, own], constants[finding] = model.coef_[0], model.intercept_[0]
    return StackedBlend(rows.tolist(), constants.tolist(), "sigmoid")


def _greedy_shares(
    bag: Sequence[int], members: int, goodness: Callable[[tuple[int, ...]], float]
) -> npt.NDArray[np.float64]:
    """The part (members,) of each run of a bag in the best selection on the way."""
    each, counts = np.eye(members, dtype=np.intp), np.zeros(members, np.intp)
    # Where no score is a number, as the AUC of one target alone, all have the same part.
    best, best_counts = -np.inf, each[list(bag)].sum(axis=0)
    for _ in range(STEPS):
        tried = [counts + each[run] for run in bag]
        scores = [goodness(tuple((one // np.gcd.reduce(one)).tolist())) for one in tried]
        chosen = int(np.argmax(scores))
        counts = tried[chosen]
        if scores[chosen] > best:
            best, best_counts = scores[chosen], counts
    return np.asarray(best_counts / best_counts.sum(), np.float64)


def _goodness(metric: Metric, truth: Truth, probabilities: npt.NDArray[np.float64]) -> float:
    score = metric(truth, probabilities)
    return metric.gain(score, 0.0) if np.isfinite(score) else -np.inf


def _is_balanced(metric: Metric) -> bool:
    return metric.name == "balanced_accuracy" or metric.name.startswith(("macro_", "mean_"))


def _importance(kinds: npt.NDArray[np.intp], metric: Metric) -> npt.NDArray[np.float64]:
    """(cells,) their weights, with the sum 1; all kinds weigh alike where the metric does so."""
    if not _is_balanced(metric):
        return np.full(len(kinds), 1.0 / len(kinds))
    _, position, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    importance: npt.NDArray[np.float64] = 1.0 / counts[position] / len(counts)
    return importance
