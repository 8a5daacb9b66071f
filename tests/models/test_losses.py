"""Losses are what their names say, by hand."""

import keras
import numpy as np
import pytest

from kagglecxr.core.errors import UnknownNameError
from kagglecxr.models.losses import LOSSES, MASK_LOSSES, make_loss

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


def masks(*values: float) -> np.ndarray:
    """One image of 2 by 2 pixels."""
    return np.array(values, np.float32).reshape(1, 2, 2, 1)


TRUTH, GUESS = masks(1, 1, 0, 0), masks(0.8, 0.5, 0.3, 0.2)
PIXELS = -np.log([0.8, 0.5, 0.7, 0.8]).mean()
OVERLAP = 1 - 2 * 1.3 / (2 + 1.8)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cross_entropy", PIXELS),
        ("dice", OVERLAP),
        ("cross_entropy_dice", PIXELS + OVERLAP),
        ("tversky", 1 - 1.3 / (1.3 + 0.3 * 0.5 + 0.7 * 0.7)),
    ],
)
def test_a_loss_of_masks_is_what_one_computes_by_hand(name: str, expected: float) -> None:
    assert float(MASK_LOSSES[name]()(TRUTH, GUESS)) == pytest.approx(expected, 1e-5)


def test_tversky_punishes_missed_pixels_more_than_false_ones() -> None:
    loss = MASK_LOSSES["tversky"]()
    missed, false = loss(masks(1, 1, 1, 0), masks(1, 1, 0, 0)), loss(TRUTH, masks(1, 1, 1, 0))
    assert float(missed) == pytest.approx(0.7 / 2.7, 1e-5)
    assert float(false) == pytest.approx(0.3 / 2.3, 1e-5)


@pytest.mark.parametrize("name", MASK_LOSSES.names())
def test_a_loss_of_masks_is_the_mean_over_the_images(name: str) -> None:
    # Small lungs count as much as large ones.
    other = masks(0.1, 0.1, 0.1, 0.6)
    both = np.concatenate([TRUTH, masks(0, 0, 0, 1)]), np.concatenate([GUESS, other])
    alone = [float(MASK_LOSSES[name]()(t[None], p[None])) for t, p in zip(*both, strict=True)]
    assert float(MASK_LOSSES[name]()(*both)) == pytest.approx(np.mean(alone), 1e-5)
    assert alone[0] != pytest.approx(alone[1], 1e-2)


@pytest.mark.parametrize("name", MASK_LOSSES.names())
@pytest.mark.parametrize("logit", [-200.0, 0.0, 3.0])
def test_an_empty_mask_has_finite_gradients(name: str, logit: float) -> None:
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")]
    )
    model.set_weights([np.full((1, 1, 1, 1), logit), np.zeros(1)])
    model.compile(keras.optimizers.SGD(1.0), MASK_LOSSES[name](), run_eagerly=True)
    model.train_on_batch(np.ones((2, 4, 4, 1)), np.zeros((2, 4, 4, 1)))
    values = np.concatenate([weights.ravel() for weights in model.get_weights()])
    assert np.isfinite(values).all()


@pytest.mark.parametrize("name", MASK_LOSSES.names())
def test_a_right_mask_costs_nothing_and_a_wrong_one_the_most(name: str) -> None:
    loss = MASK_LOSSES[name]()
    right, half, wrong = (float(loss(TRUTH, p)) for p in (TRUTH, GUESS, 1 - TRUTH))
    assert right == pytest.approx(0, abs=1e-5)
    assert right < half < wrong
