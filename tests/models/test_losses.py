"""Losses are what their names say, by hand."""

import numpy as np
import pytest

from kagglecxr.core.errors import UnknownNameError
from kagglecxr.models.losses import LOSSES, make_loss

ONE_HOT = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
PREDICTIONS = np.array([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]], np.float32)
RIGHT = np.array([0.7, 0.25])


def test_cross_entropy_is_the_logarithm_of_the_right_prediction() -> None:
    expected = -np.log(RIGHT).mean()
    assert float(make_loss("cross_entropy", 3)(ONE_HOT, PREDICTIONS)) == pytest.approx(
        expected, 1e-5
    )


def test_label_smoothing_spreads_a_share_over_all_classes() -> None:
    smoothed = 0.9 * ONE_HOT + 0.1 / 3
    expected = -(smoothed * np.log(PREDICTIONS)).sum(axis=1).mean()
    loss = make_loss("cross_entropy", 3, label_smoothing=0.1)
    assert float(loss(ONE_HOT, PREDICTIONS)) == pytest.approx(expected, 1e-5)


def test_binary_cross_entropy_asks_each_output_alone() -> None:
    alone = ONE_HOT * np.log(PREDICTIONS) + (1 - ONE_HOT) * np.log(1 - PREDICTIONS)
    loss = make_loss("binary_cross_entropy", 3)
    assert float(loss(ONE_HOT, PREDICTIONS)) == pytest.approx(-alone.mean(), 1e-5)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 5.0])
def test_focal_counts_right_predictions_less(gamma: float) -> None:
    expected = -((1 - RIGHT) ** gamma * np.log(RIGHT)).mean()
    loss = make_loss("focal", 3, gamma=gamma)
    assert float(loss(ONE_HOT, PREDICTIONS)) == pytest.approx(expected, 1e-4)


@pytest.mark.parametrize("name", LOSSES.names())
def test_one_unit_has_a_binary_loss(name: str) -> None:
    truth, predictions = np.array([[1.0], [0.0]]), np.array([[0.8], [0.4]])
    right = np.array([0.8, 0.6])
    gamma = 2.0 if name == "focal" else 0.0
    expected = -((1 - right) ** gamma * np.log(right)).mean()
    assert float(make_loss(name, 1)(truth, predictions)) == pytest.approx(expected, 1e-4)


def test_an_unknown_loss_raises_with_the_nearest_names() -> None:
    with pytest.raises(UnknownNameError, match="cross_entropy"):
        make_loss("cros_entropy", 3)
