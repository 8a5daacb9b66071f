"""Every optimizer can be named, and lower layers learn at their share of the rate."""

import keras
import numpy as np
import pytest

from kagglecxr.training.optimizer import layer_rate_multipliers, make_optimizer
from kagglecxr.training.recipe import make_recipe


@pytest.fixture
def model() -> keras.Model:
    images = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(2, 3, name="conv")(images)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(3, name="dense")(x)
    return keras.Model(images, keras.layers.Dense(2, activation="softmax", name="logits")(x))


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "adamax", "adagrad", "sgd"])
@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_every_optimiser_of_the_reports_can_be_named(
    model: keras.Model, optimizer: str, decay: float
) -> None:
    recipe = make_recipe({}, [f"optimizer={optimizer}", f"layer_decay={decay}"])
    assert isinstance(
        make_optimizer(model, recipe, 100),
        type(keras.optimizers.get(optimizer)),
    )


def test_a_short_training_has_a_short_moving_average(model: keras.Model) -> None:
    recipe = make_recipe({}, ["ema=0.99"])
    momenta = {n: make_optimizer(model, recipe, n).ema_momentum for n in (1, 40, 500, 10_000)}
    assert momenta == pytest.approx({1: 0.0, 40: 0.875, 500: 0.99, 10_000: 0.99})
    # What is left of the weights that a training starts from.
    assert momenta[40] ** 40 < 0.01


def test_shares_fall_from_the_last_layer_down(model: keras.Model) -> None:
    shares = layer_rate_multipliers(model, 0.5)
    assert shares["logits/kernel"] == 1.0
    assert shares["dense/bias"] == 0.5
    assert shares["conv/kernel"] == shares["norm/gamma"] == 0.25
    assert set(shares) == {variable.path for variable in model.trainable_variables}


def test_frozen_layers_are_no_rungs(model: keras.Model) -> None:
    model.get_layer("dense").trainable = False
    assert layer_rate_multipliers(model, 0.5)["conv/kernel"] == 0.5


def test_with_plain_descent_a_layer_moves_by_its_share_of_the_whole_step(
    model: keras.Model,
) -> None:
    images, targets = np.random.default_rng(0).random((4, 8, 8, 1)), np.eye(2)[[0, 1, 0, 1]]
    start, moved = model.get_weights(), []
    for decay in (1.0, 0.5):
        model.set_weights(start)
        recipe = make_recipe(
            {}, ["optimizer=sgd", "schedule=constant", "warmup=0", f"layer_decay={decay}"]
        )
        model.compile(make_optimizer(model, recipe, 100), "categorical_crossentropy")
        model.train_on_batch(images, targets)
        before = dict(zip([v.path for v in model.weights], start, strict=True))
        moved.append({v.path: v.numpy() - before[v.path] for v in model.trainable_variables})
    shares = layer_rate_multipliers(model, 0.5)
    for path, whole in moved[0].items():
        np.testing.assert_allclose(moved[1][path], whole * shares[path], rtol=1e-3, atol=1e-7)
