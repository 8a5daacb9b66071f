"""Scores of findings, by hand and against scikit-learn; what is not known has no part in them."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, log_loss, roc_auc_score

from kagglecxr.core.finding_metrics import (
    FINDING_METRICS,
    auc_of_findings,
    average_precision_of_findings,
    f1_of_findings,
    finding_table,
)

NAN = math.nan
TRUTH = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 0], [0, 1, 0]], float)
OUTPUTS = np.array([[0.9, 0.2, 0.4], [0.6, 0.1, 0.3], [0.5, 0.8, 0.6], [0.4, 0.3, 0.1]])


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = (random.random((80, 5)) < [0.5, 0.3, 0.1, 0.7, 0.2]).astype(float)
    # Rounded, so that some are equal.
    outputs = np.clip(0.25 * truth + random.random((80, 5)), 0, 1).round(1)
    return truth, outputs


def test_aucs_by_hand() -> None:
    # First: pairs (0.9, 0.6) (0.9, 0.4) (0.5, 0.4) are right, (0.5, 0.6) is wrong.
    # Third: 0.4 is above 0.3 and 0.1, below 0.6.
    assert np.allclose(auc_of_findings(TRUTH, OUTPUTS), [3 / 4, 1.0, 2 / 3])
    assert math.isclose(FINDING_METRICS["mean_auc"](TRUTH, OUTPUTS), (3 / 4 + 1 + 2 / 3) / 3)


def test_average_precisions_by_hand() -> None:
    # First: recall 1/2 at precision 1, then recall 1 at precision 2/3. Third: 1 of 2.
    found = average_precision_of_findings(TRUTH, OUTPUTS)
    assert np.allclose(found, [(1 + 2 / 3) / 2, 1.0, 1 / 2])


def test_f1_by_hand() -> None:
    # From 0.5 on: first 2 of 3 said, 2 there; second 1 of 1 said, 2 there; third 0 of 1, 1 there.
    assert np.allclose(f1_of_findings(TRUTH, OUTPUTS), [4 / 5, 2 / 3, 0.0])
    assert math.isclose(FINDING_METRICS["micro_f1"](TRUTH, OUTPUTS), 2 * 3 / (5 + 5))
    assert math.isclose(FINDING_METRICS["macro_f1"](TRUTH, OUTPUTS), (4 / 5 + 2 / 3) / 3)
    assert math.isclose(FINDING_METRICS["weighted_f1"](TRUTH, OUTPUTS), (2 * 4 / 5 + 2 * 2 / 3) / 5)


@pytest.mark.parametrize("seed", range(5))
def test_they_are_scikit_learn_s(seed: int) -> None:
    truth, outputs = drawn(seed)
    said = outputs >= 0.5
    expected = {
        "mean_auc": roc_auc_score(truth, outputs, average="macro"),
        "mean_average_precision": average_precision_score(truth, outputs, average="macro"),
        "log_loss": np.mean([log_loss(truth[:, k], outputs[:, k]) for k in range(5)]),
        **{
            f"{average}_f1": f1_score(truth, said, average=average, zero_division=0)
            for average in ("macro", "micro", "weighted")
        },
    }
    assert set(expected) == set(FINDING_METRICS.names())
    for name, value in expected.items():
        assert math.isclose(FINDING_METRICS[name](truth, outputs), value, rel_tol=1e-9), name


def test_what_is_not_known_has_no_part() -> None:
    truth, outputs = drawn()
    unknown = np.random.default_rng(7).random(truth.shape) < 0.3
    masked = np.where(unknown, NAN, truth)
    for name in FINDING_METRICS.names():
        changed = np.where(unknown, 1 - outputs, outputs)
        assert FINDING_METRICS[name](masked, changed) == FINDING_METRICS[name](masked, outputs)
    for k in range(5):
        known = ~unknown[:, k]
        expected = roc_auc_score(truth[known, k], outputs[known, k])
        assert math.isclose(auc_of_findings(masked, outputs)[k], expected)


def test_a_finding_that_no_image_has_is_left_out_of_means() -> None:
    truth, outputs = drawn()
    without = np.column_stack([truth, np.zeros(80)])
    more = np.column_stack([outputs, np.zeros(80)])
    assert np.isnan(auc_of_findings(without, more)[-1])
    for name in ("mean_auc", "mean_average_precision", "macro_f1"):
        assert FINDING_METRICS[name](without, more) == FINDING_METRICS[name](truth, outputs)


def test_nothing_known_is_no_number() -> None:
    truth = np.full((3, 2), NAN)
    for name in FINDING_METRICS.names():
        assert math.isnan(FINDING_METRICS[name](truth, np.full((3, 2), 0.5)))


def test_the_table_has_a_line_for_each_finding() -> None:
    truth = TRUTH.copy()
    truth[0, 2] = NAN
    table = finding_table(truth, OUTPUTS, ["a", "b", "c"])
    assert table["finding"].tolist() == ["a", "b", "c"]
    assert table["images"].tolist() == [2, 2, 0]
    assert table["unknown"].tolist() == [0, 0, 1]
    assert np.isnan(table["auc"].iloc[2])
