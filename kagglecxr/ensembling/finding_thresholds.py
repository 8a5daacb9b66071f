"""From which probability on a finding is reported: the threshold with the best F1 score."""

import numpy as np
import numpy.typing as npt

from kagglecxr.core.finding_metrics import PRESENT, OfFindings, Truth
from kagglecxr.core.metrics import Probabilities

Decisions = npt.NDArray[np.bool_]


def fit_finding_thresholds(truth: Truth, probabilities: Probabilities) -> OfFindings:
    """Returns (K,) thresholds with the best F1 score of each finding, of equal ones the highest.

    A threshold is half way between the last probability that is reported and the next, so that it
    is not one image's own. Of a finding that no known image has it is 0.5.

    Args:
        truth: (N, K) 1, 0 or, not known, NaN.
        probabilities: (N, K).
    """
    known = ~np.isnan(truth)
    columns = range(truth.shape[1])
    return np.array(
        [_best(truth[known[:, k], k] == 1, probabilities[known[:, k], k]) for k in columns]
    )


def _best(is_there: Decisions, scored: Probabilities) -> float:
    if not is_there.any():
        return PRESENT
    order = np.argsort(-scored, kind="stable")
    ranked = scored[order].astype(np.float64)
    right = np.cumsum(is_there[order])
    f1 = 2 * right / (np.arange(1, len(ranked) + 1) + is_there.sum())
    # Equal probabilities are reported together: only the last of them may be the end.
    ends = np.append(ranked[:-1] > ranked[1:], True)
    last = int(np.where(ends, f1, -1.0).argmax())
    below = ranked[last + 1] if last + 1 < len(ranked) else 0.0
    return float((ranked[last] + below) / 2)


def nested_decisions(
    truth: Truth, probabilities: Probabilities, fold_of: npt.NDArray[np.integer]
) -> Decisions:
    """Returns (N, K), what is reported of each fold by thresholds that were fitted on the others.

    Args:
        truth: (N, K) 1, 0 or, not known, NaN.
        probabilities: (N, K).
        fold_of: (N,).
    """
    decided = np.zeros(truth.shape, np.bool_)
    for fold in np.unique(fold_of):
        own = fold_of == fold
        thresholds = fit_finding_thresholds(truth[~own], probabilities[~own])
        decided[own] = probabilities[own] >= thresholds
    return decided
