"""From which probability on a finding is reported: the threshold with the best F1 score."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import SettingError
from kagglecxr.core.finding_metrics import PRESENT, OfFindings
from kagglecxr.core.metrics import Metric, Probabilities, Truth
from kagglecxr.inference.predictions import clip_probabilities

Decisions = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Cuts:
    """The thresholds between which reports of one finding change, the highest first.

    Attributes:
        thresholds: (cuts,), half way between two probabilities, so that none is one image's own.
        right: (cuts,) images with the finding that are reported.
        said: (cuts,) images that are reported.
        there: how many images have the finding.
    """

    thresholds: Cells
    right: Cells
    said: Cells
    there: int


def _cuts(truth: Truth, probabilities: Probabilities) -> list[_Cuts]:
    """Those of each finding; an image of which a finding is not known has no part in its own."""
    columns, clipped = [], clip_probabilities(probabilities)
    for finding in range(truth.shape[1]):
        known = ~np.isnan(truth[:, finding])
        scored = clipped[known, finding]
        order = np.argsort(-scored, kind="stable")
        ranked, is_there = scored[order], truth[known, finding][order] == 1
        # Equal probabilities are reported together: only the last of them may be the end.
        ends = np.flatnonzero(np.append(ranked[:-1] > ranked[1:], [True] * (len(ranked) > 0)))
        between = np.concatenate([[1.0], ranked[ends], [0.0]])
        columns.append(
            _Cuts(
                (between[:-1] + between[1:]) / 2,
                np.append(0.0, np.cumsum(is_there)[ends]),
                np.append(0.0, ends + 1.0),
                int(is_there.sum()),
            )
        )
    return columns


def fit_finding_thresholds(truth: Truth, probabilities: Probabilities) -> OfFindings:
    """Returns (K,) thresholds with the best F1 score of each finding, of equal ones the highest.

    Of a finding that no known image has it is 0.5. They are the best of the macro and the weighted
    F1 score, too, which are means over the findings.

    Args:
        truth: (N, K) 1, 0 or, not known, NaN.
        probabilities: (N, K).
    """
    return np.array(
        [
            cuts.thresholds[(2 * cuts.right / (cuts.said + cuts.there)).argmax()]
            if cuts.there
            else PRESENT
            for cuts in _cuts(truth, probabilities)
        ]
    )


def fit_pooled_thresholds(truth: Truth, probabilities: Probabilities) -> OfFindings:
    """Returns (K,) thresholds with the best F1 score of all cells together, the micro F1 score.

    A fraction is largest where numerator less its own value times denominator is, which each
    finding decides by itself (Dinkelbach 1967); a few rounds find that value.

    Args:
        truth: (N, K) 1, 0 or, not known, NaN.
        probabilities: (N, K).
    """
    columns, reached = _cuts(truth, probabilities), -1.0
    there = sum(cuts.there for cuts in columns)
    if not there:
        return np.full(len(columns), PRESENT)
    score = 0.0
    while score > reached:
        reached = score
        best = [int((2 * cuts.right - reached * cuts.said).argmax()) for cuts in columns]
        pairs = list(zip(columns, best, strict=True))
        right = sum(cuts.right[number] for cuts, number in pairs)
        said = sum(cuts.said[number] for cuts, number in pairs)
        score = 2 * right / (said + there)
    return np.array([cuts.thresholds[number] for cuts, number in pairs])


_FITS: dict[str, Callable[[Truth, Probabilities], OfFindings]] = {
    "macro_f1": fit_finding_thresholds,
    "weighted_f1": fit_finding_thresholds,
    "micro_f1": fit_pooled_thresholds,
}


def fit_odds_weights(metric: Metric, probabilities: Probabilities, truth: Truth) -> OfFindings:
    """Returns (K,) factors of the odds that bring the best thresholds of a metric to 0.5.

    Raises:
        SettingError: the metric scores probabilities, not decisions.
    """
    if metric.name not in _FITS:
        raise SettingError(
            f"Thresholds are fitted to a metric of decisions. Received: {metric.name}, not one of "
            f"{', '.join(_FITS)}. Leave thresholds as they are."
        )
    thresholds = _FITS[metric.name](truth, probabilities)
    return np.asarray((1.0 - thresholds) / thresholds, np.float64)


def nested_decisions(
    truth: Truth, probabilities: Probabilities, fold_of: npt.NDArray[np.integer]
) -> Decisions:
    """Returns (N, K), what is reported of each fold by thresholds that were fitted on the others.

    Args:
        truth: (N, K) 1, 0 or, not known, NaN.
        probabilities: (N, K).
        fold_of: (N,).
    """
    decided, clipped = np.zeros(truth.shape, np.bool_), clip_probabilities(probabilities)
    for fold in np.unique(fold_of):
        own = fold_of == fold
        thresholds = fit_finding_thresholds(truth[~own], probabilities[~own])
        decided[own] = clipped[own] >= thresholds
    return decided
