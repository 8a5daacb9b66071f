"""Metrics of several findings an image, by name: scores of (N, K) probabilities.

Truth is (N, K) float: 1 where an image has a finding, 0 where not, NaN where that is not known, as
an uncertain label that is ignored. Unknown cells are left out of every metric. A finding is present
from a probability of 0.5 on.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score

from kagglecxr.core.metrics import Metric, Probabilities, Truth, area_under_curve
from kagglecxr.core.registry import Registry

OfFindings = npt.NDArray[np.float64]
"""(K,), NaN of a finding that has no such score."""

PRESENT = 0.5

FINDING_METRICS = Registry[Metric]("metric of findings")
OF_RANKING, OF_DECISIONS = "mean_auc", "macro_f1"
"""The metric of findings where none is named: of probabilities, and of names alone."""
_OF_CLASSES = ("accuracy", "balanced_accuracy")
"""Metrics of one class an image; "accuracy" is what a TOML without a metric has."""


def finding_metric(name: str, default: str = OF_RANKING) -> Metric:
    """Returns the metric of findings of a name, "auc" for its mean over findings.

    Args:
        name: of a metric; one of decisions of a class an image stands for the default.
        default: a name in FINDING_METRICS.

    Raises:
        UnknownNameError: there is no such metric.
    """
    if name in _OF_CLASSES:
        return FINDING_METRICS[default]
    return FINDING_METRICS[OF_RANKING if name == "auc" else name]


def auc_of_findings(truth: Truth, probabilities: Probabilities) -> OfFindings:
    """Returns (K,) areas under the ROC curve; NaN where all known images are alike."""
    return _by_finding(area_under_curve, truth, probabilities)


def average_precision_of_findings(truth: Truth, probabilities: Probabilities) -> OfFindings:
    """Returns (K,) average precisions, the sum over recalls of their precision; NaN without any."""
    return _by_finding(_average_precision, truth, probabilities)


def f1_of_findings(truth: Truth, probabilities: Probabilities) -> OfFindings:
    """Returns (K,) harmonic means of precision and recall; NaN where neither is defined."""
    return _f1(_counts(truth, probabilities))


def finding_table(truth: Truth, probabilities: Probabilities, findings: list[str]) -> pd.DataFrame:
    """Returns `finding,images,unknown,auc,average_precision,f1`, a line for each finding."""
    return pd.DataFrame(
        {
            "finding": findings,
            "images": np.nansum(truth, axis=0).astype(np.int64),
            "unknown": np.isnan(truth).sum(axis=0),
            "auc": auc_of_findings(truth, probabilities),
            "average_precision": average_precision_of_findings(truth, probabilities),
            "f1": f1_of_findings(truth, probabilities),
        }
    )


def _by_finding(
    score: Callable[[npt.NDArray[np.bool_], Probabilities], float],
    truth: Truth,
    probabilities: Probabilities,
) -> OfFindings:
    known = ~np.isnan(truth)
    columns = range(truth.shape[1])
    scores = [score(truth[known[:, k], k] == 1, probabilities[known[:, k], k]) for k in columns]
    return np.array(scores, np.float64)


def _average_precision(is_there: npt.NDArray[np.bool_], scored: Probabilities) -> float:
    return float(average_precision_score(is_there, scored)) if is_there.any() else float("nan")


def _counts(truth: Truth, probabilities: Probabilities) -> npt.NDArray[np.float64]:
    """(3, K): true positives, images with the finding, images that are said to have it."""
    known = ~np.isnan(truth)
    is_there, is_said = truth == 1, (probabilities >= PRESENT) & known
    counted = (is_there & is_said, is_there, is_said)
    return np.array([cells.sum(axis=0) for cells in counted], np.float64)


def _f1(counts: npt.NDArray[np.float64]) -> OfFindings:
    right, there, said = counts
    scores = np.full(right.shape, np.nan)
    np.divide(2 * right, there + said, out=scores, where=there + said > 0)
    return scores


def _mean(scores: OfFindings) -> float:
    """The mean of the findings that have a score; NaN where none has."""
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else float("nan")


def _mean_auc(truth: Truth, probabilities: Probabilities) -> float:
    return _mean(auc_of_findings(truth, probabilities))


def _mean_average_precision(truth: Truth, probabilities: Probabilities) -> float:
    return _mean(average_precision_of_findings(truth, probabilities))


def _macro_f1(truth: Truth, probabilities: Probabilities) -> float:
    return _mean(f1_of_findings(truth, probabilities))


def _micro_f1(truth: Truth, probabilities: Probabilities) -> float:
    (score,) = _f1(_counts(truth, probabilities).sum(axis=1, keepdims=True))
    return float(score)


def _weighted_f1(truth: Truth, probabilities: Probabilities) -> float:
    counts = _counts(truth, probabilities)
    there, scores = counts[1], np.nan_to_num(_f1(counts))
    return float(np.average(scores, weights=there)) if there.any() else float("nan")


def _log_loss(truth: Truth, probabilities: Probabilities) -> float:
    known = ~np.isnan(truth)
    tiny = float(np.finfo(np.float64).eps)
    sure = np.where(truth == 1, probabilities, 1.0 - probabilities)[known].astype(np.float64)
    return float(-np.log(np.clip(sure, tiny, 1.0)).mean()) if known.any() else float("nan")


for _metric in (
    Metric("mean_auc", _mean_auc, needs_probabilities=True),
    Metric("mean_average_precision", _mean_average_precision, needs_probabilities=True),
    Metric("macro_f1", _macro_f1),
    Metric("micro_f1", _micro_f1),
    Metric("weighted_f1", _weighted_f1),
    Metric("log_loss", _log_loss, greater_is_better=False, needs_probabilities=True),
):
    FINDING_METRICS.add_as(_metric.name)(_metric)
