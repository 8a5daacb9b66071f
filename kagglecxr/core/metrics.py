"""Metrics, by name: scores of probabilities against true targets.

To add a metric, register it in METRICS; a TOML file then names it under [metric].
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.registry import Registry

Labels = npt.NDArray[np.integer]
"""(N,) target ids."""
Truth = npt.NDArray[Any]
"""What is true: target ids (N,); of findings (N, targets), 1, 0 or, not known, NaN."""
Probabilities = npt.NDArray[np.floating]
Decisions = npt.NDArray[np.bool_]
Confusion = npt.NDArray[np.float64]
"""(targets, targets) counts of images: a row for what is true, a column for what is predicted."""


@dataclass(frozen=True)
class Metric:
    """A score of probabilities (N, targets) against what is true.

    Probabilities need not sum to 1, except for the log loss.

    Attributes:
        measure_target: of a metric of one target, its score by the confusion matrix; `measure` is
            that of the last target unless `for_target` says otherwise.
    """

    name: str
    measure: Callable[[Truth, Probabilities], float]
    greater_is_better: bool = True
    needs_probabilities: bool = False
    measure_target: Callable[[Confusion, int], float] | None = None

    @property
    def title(self) -> str:
        """The name as text."""
        return self.name.replace("_", " ")

    def __call__(self, truth: Truth, probabilities: Probabilities) -> float:
        """Returns the score."""
        return self.measure(truth, probabilities)

    def better(self, one: float, other: float) -> bool:
        """Returns whether the first score is better than the second."""
        return one > other if self.greater_is_better else one < other

    def gain(self, one: float, other: float) -> float:
        """Returns by how much the first score is better than the second."""
        return one - other if self.greater_is_better else other - one

    def for_target(self, target: int) -> "Metric":
        """Returns the metric of this target, or itself where it is one of all targets."""
        score = self.measure_target
        if score is None:
            return self
        return replace(self, measure=_by_confusion(lambda confusion: score(confusion, target)))


METRICS = Registry[Metric]("metric")


def confusion_counts(truth: Labels, probabilities: Probabilities) -> Confusion:
    """Returns the confusion matrix of the most probable targets.

    Metrics of decisions are computed from it: bootstraps and searches need thousands of scores, and
    scikit-learn's functions, whose values they have, check their labels each time.
    """
    targets = probabilities.shape[1]
    cells = np.bincount(truth * targets + probabilities.argmax(axis=1), minlength=targets**2)
    return cells.reshape(targets, targets).astype(np.float64)


def _by_confusion(
    score: Callable[[Confusion], float],
) -> Callable[[Labels, Probabilities], float]:
    return lambda truth, probabilities: float(score(confusion_counts(truth, probabilities)))


def _accuracy(confusion: Confusion) -> float:
    return float(np.trace(confusion) / confusion.sum())


def _balanced_accuracy(confusion: Confusion) -> float:
    images = confusion.sum(axis=1)
    return float(np.mean(np.diag(confusion)[images > 0] / images[images > 0]))


def precision_of_targets(confusion: Confusion) -> npt.NDArray[np.float64]:
    """Returns (targets,) precisions; 0 where a target is never predicted."""
    return _shares(np.diag(confusion), confusion.sum(axis=0))


def recall_of_targets(confusion: Confusion) -> npt.NDArray[np.float64]:
    """Returns (targets,) recalls; 0 where a target has no image."""
    return _shares(np.diag(confusion), confusion.sum(axis=1))


def f1_of_targets(confusion: Confusion) -> npt.NDArray[np.float64]:
    """Returns (targets,) harmonic means of precision and recall; 0 where both are 0."""
    return _shares(2.0 * np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1))


def _shares(
    part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _macro(score: Callable[[Confusion], npt.NDArray[np.float64]], confusion: Confusion) -> float:
    """The mean over the targets that are true or predicted of an image."""
    is_there = (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
    return float(score(confusion)[is_there].mean())


def _weighted(score: Callable[[Confusion], npt.NDArray[np.float64]], confusion: Confusion) -> float:
    return float(np.average(score(confusion), weights=confusion.sum(axis=1)))


def _of_target(
    score: Callable[[Confusion], npt.NDArray[np.float64]], confusion: Confusion, target: int
) -> float:
    return float(score(confusion)[target])


def _kappa(confusion: Confusion, power: int = 0) -> float:
    """Cohen's kappa (1960), weighted (1968) by the distance of targets to a power.

    1 where all images are of one target and are predicted to be.
    """
    positions = np.arange(len(confusion))
    distance = np.abs(positions[:, None] - positions)
    weights = distance**power * (distance > 0)
    by_chance = np.outer(confusion.sum(axis=1), confusion.sum(axis=0)) / confusion.sum()
    expected = (weights * by_chance).sum()
    return float(1.0 - (weights * confusion).sum() / expected) if expected else 1.0


def _matthews(confusion: Confusion) -> float:
    """Matthews' correlation coefficient of several targets (Gorodkin 2004, equation 8)."""
    images, true, predicted = confusion.sum(), confusion.sum(axis=1), confusion.sum(axis=0)
    spread = (images**2 - true @ true) * (images**2 - predicted @ predicted)
    covariance = np.trace(confusion) * images - true @ predicted
    return float(covariance / np.sqrt(spread)) if spread > 0 else 0.0


def area_under_curve(is_target: Decisions, scored: Probabilities) -> float:
    """The area under the ROC curve of one column (N,); NaN where all images are alike.

    It is the Mann-Whitney statistic (Hanley and McNeil 1982): the share of pairs in which the image
    of the target has more, ties counted half. The fewer are looked up among the sorted others, in a
    twentieth of the time of scikit-learn's function or less, which bootstraps add up.
    """
    targets, others = scored[is_target], scored[~is_target]
    pairs = len(targets) * len(others)
    if not pairs:
        return float("nan")
    few, many = (targets, others) if len(targets) < len(others) else (others, targets)
    few, many = np.sort(few), np.sort(many)
    below = int(
        np.searchsorted(many, few, "left").sum() + np.searchsorted(many, few, "right").sum()
    )
    return (below if len(targets) < len(others) else 2 * pairs - below) / (2 * pairs)


def _auc(truth: Labels, probabilities: Probabilities) -> float:
    """Mean over the targets of the area under the one-against-rest ROC curve."""
    present = np.unique(truth)
    if len(present) < 2:
        return float("nan")
    targets = present[-1:] if probabilities.shape[1] == 2 else present
    return float(np.mean([area_under_curve(truth == t, probabilities[:, t]) for t in targets]))


def _log_loss(truth: Labels, probabilities: Probabilities) -> float:
    chosen = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    tiny = float(np.finfo(np.float64).eps)
    return float(-np.log(np.clip(chosen, tiny, 1.0)).mean())


_OF_TARGETS = {
    "precision": precision_of_targets,
    "recall": recall_of_targets,
    "f1": f1_of_targets,
}

for _metric in (
    Metric("accuracy", _by_confusion(_accuracy)),
    Metric("balanced_accuracy", _by_confusion(_balanced_accuracy)),
    *(
        Metric(f"{average}_{name}", _by_confusion(partial(mean, score)))
        for name, score in _OF_TARGETS.items()
        for average, mean in (("macro", _macro), ("weighted", _weighted))
    ),
    *(
        Metric(
            name,
            _by_confusion(partial(_of_target, score, target=-1)),
            measure_target=partial(_of_target, score),
        )
        for name, score in _OF_TARGETS.items()
    ),
    Metric("kappa", _by_confusion(_kappa)),
    Metric("quadratic_kappa", _by_confusion(partial(_kappa, power=2))),
    Metric("mcc", _by_confusion(_matthews)),
    Metric("auc", _auc, needs_probabilities=True),
    Metric("log_loss", _log_loss, greater_is_better=False, needs_probabilities=True),
):
    METRICS.add_as(_metric.name)(_metric)
