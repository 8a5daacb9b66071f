"""Thresholds of findings have the best F1 score, and nested ones have not seen their fold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from kagglecxr.ensembling.finding_thresholds import fit_finding_thresholds, nested_decisions


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
