"""Losses of findings by hand, and without a part of what is not known, gradients included."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from kagglecxr.models.finding_losses import FINDING_LOSSES, positive_weights

NAN = math.nan
TRUTH = np.array([[1, 0], [0, 1]], np.float32)
OUTPUTS = np.array([[0.8, 0.3], [0.4, 0.9]], np.float32)


def loss_of(name: str, truth: np.ndarray, outputs: np.ndarray, **options: object) -> float:
    return float(FINDING_LOSSES[name](**options)(truth.astype(np.float32), outputs))


def test_the_cross_entropy_by_hand() -> None:
    cells = [-math.log(0.8), -math.log(0.7), -math.log(0.6), -math.log(0.9)]
    assert math.isclose(loss_of("cross_entropy", TRUTH, OUTPUTS), sum(cells) / 4, rel_tol=1e-6)


def test_it_is_keras_cross_entropy_with_smoothing() -> None:
    ours = loss_of("cross_entropy", TRUTH, OUTPUTS, label_smoothing=0.2)
    theirs = float(keras.losses.BinaryCrossentropy(label_smoothing=0.2)(TRUTH, OUTPUTS))
    assert math.isclose(ours, theirs, rel_tol=1e-5)


def test_the_focal_loss_is_keras() -> None:
    theirs = float(keras.losses.BinaryFocalCrossentropy(gamma=2.0)(TRUTH, OUTPUTS))
    assert math.isclose(loss_of("focal", TRUTH, OUTPUTS), theirs, rel_tol=1e-5)
    without = loss_of("focal", TRUTH, OUTPUTS, gamma=0.0)
    assert math.isclose(without, loss_of("cross_entropy", TRUTH, OUTPUTS), rel_tol=1e-6)


def test_the_asymmetric_loss_by_hand() -> None:
    cells = [
        -0.2 * math.log(0.8),
        -(0.25**4) * math.log(0.75),
        -(0.35**4) * math.log(0.65),
        -0.1 * math.log(0.9),
    ]
    assert math.isclose(loss_of("asymmetric", TRUTH, OUTPUTS), sum(cells) / 4, rel_tol=1e-5)


def test_negatives_below_the_margin_cost_nothing() -> None:
    nothing, low = np.zeros((1, 2)), np.full((1, 2), 0.04, np.float32)
    assert loss_of("asymmetric", nothing, low) == 0.0


def test_weights_are_of_positives_alone() -> None:
    plain = [-math.log(0.8), -math.log(0.7), -math.log(0.6), -math.log(0.9)]
    expected = (3 * plain[0] + plain[1] + plain[2] + 5 * plain[3]) / 4
    found = loss_of("cross_entropy", TRUTH, OUTPUTS, weights=[3.0, 5.0])
    assert math.isclose(found, expected, rel_tol=1e-6)


@pytest.mark.parametrize("name", FINDING_LOSSES.names())
def test_what_is_not_known_has_no_part_in_loss_and_gradient(name: str) -> None:
    masked = np.array([[1, NAN], [NAN, NAN]], np.float32)
    variable = keras.Variable(OUTPUTS)
    of_one = loss_of(name, TRUTH[:1, :1], OUTPUTS[:1, :1])
    assert math.isclose(loss_of(name, masked, OUTPUTS), of_one / 2, rel_tol=1e-6)
    epsilon = 1e-3
    for row, column in ((0, 1), (1, 0), (1, 1)):
        moved = OUTPUTS.copy()
        moved[row, column] += epsilon
        assert loss_of(name, masked, moved) == loss_of(name, masked, OUTPUTS)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="sigmoid")])
    model.compile("sgd", FINDING_LOSSES[name]())
    model.train_on_batch(OUTPUTS, masked)
    assert all(np.isfinite(ops.convert_to_numpy(weight)).all() for weight in model.weights)
    assert np.isfinite(ops.convert_to_numpy(variable)).all()


@pytest.mark.parametrize("name", FINDING_LOSSES.names())
def test_sure_and_wrong_is_finite(name: str) -> None:
    wrong = np.array([[0.0, 1.0]], np.float32)
    assert math.isfinite(loss_of(name, TRUTH[:1], wrong))
    assert loss_of(name, TRUTH[:1], wrong) > loss_of(name, TRUTH[:1], OUTPUTS[:1])


def test_weights_make_both_kinds_count_alike() -> None:
    assert positive_weights([10, 50, 0], [100, 60, 30]) == [9.0, 0.2, 1.0]
