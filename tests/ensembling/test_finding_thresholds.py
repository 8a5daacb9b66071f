"""Thresholds of findings have the best F1 score, and nested ones have not seen their fold."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from kagglecxr.core.errors import SettingError
from kagglecxr.core.finding_metrics import FINDING_METRICS
from kagglecxr.ensembling.activations import ACTIVATIONS
from kagglecxr.ensembling.finding_thresholds import (
    fit_finding_thresholds,
    fit_odds_weights,
    fit_pooled_thresholds,
    nested_decisions,
)


def drawn(seed: int, images: int = 60) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = (random.random((images, 3)) < [0.5, 0.2, 0.05]).astype(float)
    return truth, np.clip(0.3 * truth + random.random((images, 3)), 0, 1).round(1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 40))
def test_no_threshold_is_better(seed: int, images: int) -> None:
    truth, outputs = drawn(seed, images)
    for column, threshold in enumerate(fit_finding_thresholds(truth, outputs)):
        if not truth[:, column].any():
            assert threshold == 0.5
            continue
        own = f1_score(truth[:, column], outputs[:, column] >= threshold)
        for other in np.unique(outputs[:, column]):
            said = outputs[:, column] >= other
            assert own >= f1_score(truth[:, column], said) - 1e-12


def test_by_hand() -> None:
    truth = np.array([[1.0], [0.0], [1.0], [0.0], [np.nan]])
    outputs = np.array([[0.9], [0.6], [0.4], [0.1], [0.95]])
    # Two of three reported ones are right, both there are found: F1 4/5.
    assert fit_finding_thresholds(truth, outputs) == pytest.approx([0.25])


def test_a_fold_is_decided_by_the_others() -> None:
    truth, outputs = drawn(3)
    fold_of = np.arange(60) % 3
    decided = nested_decisions(truth, outputs, fold_of)
    for fold in range(3):
        own = fold_of == fold
        thresholds = fit_finding_thresholds(truth[~own], outputs[~own])
        assert np.array_equal(decided[own], outputs[own] >= thresholds)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 12))
def test_no_thresholds_have_a_better_micro_f1_score(seed: int, images: int) -> None:
    truth, outputs = drawn(seed, images)
    truth[0, 0] = np.nan
    micro = FINDING_METRICS["micro_f1"]
    own = ACTIVATIONS["sigmoid"].weigh(outputs, fit_odds_weights(micro, outputs, truth))
    cuts = [np.append(np.unique(outputs[:, finding]), 1.1) for finding in range(3)]
    best = max(micro(truth, (outputs >= each).astype(float)) for each in product(*cuts))
    found = micro(truth, own)
    assert np.isnan(best) or not np.nansum(truth) or found == pytest.approx(best)


@pytest.mark.parametrize("metric", ["macro_f1", "micro_f1", "weighted_f1"])
def test_weights_bring_the_thresholds_to_one_half(metric: str) -> None:
    truth, outputs = drawn(5)
    scored = FINDING_METRICS[metric]
    weights = fit_odds_weights(scored, outputs, truth)
    weighed = ACTIVATIONS["sigmoid"].weigh(outputs, weights)
    fit = fit_pooled_thresholds if metric == "micro_f1" else fit_finding_thresholds
    assert ((weighed >= 0.5) == (outputs >= fit(truth, outputs))).all()
    assert scored(truth, weighed) > scored(truth, outputs)


def test_thresholds_without_a_metric_of_decisions_are_refused() -> None:
    truth, outputs = drawn(1)
    with pytest.raises(SettingError, match="Received: mean_auc"):
        fit_odds_weights(FINDING_METRICS["mean_auc"], outputs, truth)
