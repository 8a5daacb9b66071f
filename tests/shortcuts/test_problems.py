"""A finding is a problem of two classes, and what is not known of it counts nowhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.finding_metrics import FINDING_METRICS
from kagglecxr.core.metrics import METRICS
from kagglecxr.shortcuts.problems import (
    chance_of,
    class_ids,
    class_probabilities,
    images_of_targets,
    join_probabilities,
    keep_cells,
    scores_of_targets,
    target_table,
)

FINDINGS = np.array([[1, np.nan], [0, 1], [1, 0], [0, 0]], np.float32)
CLASSES = np.array([2, 0, 0, 2])


@given(st.integers(0, 99), st.integers(1, 5), st.booleans())
def test_probabilities_of_problems_are_those_of_the_run(
    seed: int, targets: int, of_findings: bool
) -> None:
    random = np.random.default_rng(seed)
    predicted = random.random((7, targets)).astype(np.float32)
    truth = random.integers(2, size=(7, targets)) + 0.0 if of_findings else np.zeros(7, np.intp)
    problems = class_probabilities(truth, predicted)
    assert len(problems) == len(class_ids(truth)) == (targets if of_findings else 1)
    np.testing.assert_array_equal(join_probabilities(truth, problems), predicted)
    if of_findings:
        np.testing.assert_allclose([one.sum(axis=1) for one in problems], 1, rtol=1e-6)


def test_classes_are_one_problem_and_findings_one_each() -> None:
    assert [one.tolist() for one in class_ids(CLASSES)] == [[2, 0, 0, 2]]
    assert [one.tolist() for one in class_ids(FINDINGS)] == [[1, 0, 1, 0], [-1, 1, 0, 0]]
    assert images_of_targets(CLASSES, 3) == [2, 0, 2]
    assert images_of_targets(FINDINGS, 2) == [2, 1]
    assert (chance_of(CLASSES), chance_of(FINDINGS)) == (0.5, 0.5)
    assert target_table(CLASSES).tolist() == [[0, 0, 1], [1, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert target_table(FINDINGS)[0].tolist() == [1, 0.5]


def test_scores_are_recalls_and_areas_and_their_means_the_metrics() -> None:
    sure = np.array([[0.1, 0.2, 0.7], [0.5, 0.1, 0.4], [0.2, 0.2, 0.6], [0.3, 0.4, 0.3]])
    scores = scores_of_targets(CLASSES, sure)
    np.testing.assert_allclose(scores, [0.5, np.nan, 0.5])
    assert np.nanmean(scores) == METRICS["balanced_accuracy"](CLASSES, sure)
    said = np.array([[0.9, 0.99], [0.5, 0.7], [0.4, 0.2], [0.1, 0.8]])
    of_findings = scores_of_targets(FINDINGS, said)
    np.testing.assert_allclose(of_findings, [0.75, 0.5])
    assert of_findings.mean() == pytest.approx(FINDING_METRICS["mean_auc"](FINDINGS, said))


def test_cells_that_are_not_kept_are_not_known() -> None:
    cells = np.array([[True, True], [False, True], [True, False], [True, True]])
    kept = [[1, np.nan], [np.nan, 1], [1, np.nan], [0, 0]]
    np.testing.assert_array_equal(keep_cells(FINDINGS, cells), kept)
    np.testing.assert_array_equal(keep_cells(CLASSES, cells[:, :1]), CLASSES)
