"""Metrics, by name, and bootstrap intervals of their scores."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn import metrics as scores

from kagglecxr.core.registry import Registry

Labels = npt.NDArray[np.integer]
Probabilities = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Metric:
    """A score of probabilities (N, targets) against true target ids (N,)."""

    name: str
    measure: Callable[[Labels, Probabilities], float]
    greater_is_better: bool = True
    needs_probabilities: bool = False

    def __call__(self, truth: Labels, probabilities: Probabilities) -> float:
        """Returns the score."""
        return self.measure(truth, probabilities)

    def better(self, one: float, other: float) -> bool:
        """Returns whether the first score is better than the second."""
        return one > other if self.greater_is_better else one < other


METRICS = Registry[Metric]("metric")


def _of_labels(
    score: Callable[[Labels, Labels], float],
) -> Callable[[Labels, Probabilities], float]:
    return lambda truth, probabilities: float(score(truth, probabilities.argmax(axis=1)))


def _balanced_accuracy(truth: Labels, predicted: Labels) -> float:
    # scikit-learn's own warns when a predicted class is absent from a bootstrap resample.
    return float(np.mean([np.mean(predicted[truth == target] == target) for target in set(truth)]))


def _macro_f1(truth: Labels, predicted: Labels) -> float:
    return float(scores.f1_score(truth, predicted, average="macro", zero_division=0))


def _area_under_curve(truth: Labels, probabilities: Probabilities) -> float:
    """Mean over the targets of the area under the one-against-rest ROC curve."""
    present = np.unique(truth)
    if len(present) < 2:
        return float("nan")
    targets = present[-1:] if probabilities.shape[1] == 2 else present
    return float(np.mean([scores.roc_auc_score(truth == t, probabilities[:, t]) for t in targets]))


def _log_loss(truth: Labels, probabilities: Probabilities) -> float:
    chosen = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    tiny = float(np.finfo(np.float64).eps)
    return float(-np.log(np.clip(chosen, tiny, 1.0)).mean())


for _metric in (
    Metric("accuracy", _of_labels(scores.accuracy_score)),
    Metric("balanced_accuracy", _of_labels(_balanced_accuracy)),
    Metric("macro_f1", _of_labels(_macro_f1)),
    Metric("auc", _area_under_curve, needs_probabilities=True),
    Metric("log_loss", _log_loss, greater_is_better=False, needs_probabilities=True),
):
    METRICS.add_as(_metric.name)(_metric)


@dataclass(frozen=True)
class Interval:
    """A score and its 95 % bootstrap interval."""

    score: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.score:.4f} (95 % interval {self.low:.4f} to {self.high:.4f})"


def bootstrap_interval(
    metric: Metric,
    truth: Labels,
    probabilities: Probabilities,
    groups: npt.NDArray[np.object_],
    random: np.random.Generator,
    resamples: int = 1000,
) -> Interval:
    """Computes the percentile bootstrap of a score by resampling whole groups.

    Images of one patient are similar, so resampling single images would give too narrow an interval
    (cluster bootstrap: Davison and Hinkley 1997, section 3.8).

    `truth`, target ids, and `groups` are (N,), `probabilities` (N, targets).
    """
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    drawn = np.empty(resamples)
    for i in range(resamples):
        chosen = random.integers(len(members), size=len(members))
        rows = np.concatenate([members[k] for k in chosen])
        drawn[i] = metric(truth[rows], probabilities[rows])
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Interval(metric(truth, probabilities), float(low), float(high))
