"""Every optimizer can be named, and lower layers learn at their share of the rate."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.training.optimizer import (
    layer_rate_multipliers,
    learning_rate,
    make_optimizer,
    plateau_rate,
)
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
        make_optimizer(model, recipe, 10),
        type(keras.optimizers.get(optimizer)),
    )


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
        model.compile(make_optimizer(model, recipe, 10), "categorical_crossentropy")
        model.train_on_batch(images, targets)
        before = dict(zip([v.path for v in model.weights], start, strict=True))
        moved.append({v.path: v.numpy() - before[v.path] for v in model.trainable_variables})
    shares = layer_rate_multipliers(model, 0.5)
    for path, whole in moved[0].items():
        np.testing.assert_allclose(moved[1][path], whole * shares[path], rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_rate_rises_then_falls_or_stays(schedule: str) -> None:
    changes = ["learning_rate=0.1", "warmup=0.2", f"schedule={schedule}"]
    rate_at = learning_rate(make_recipe({}, changes), steps=100)
    rate = [float(rate_at(step)) for step in (0, 10, 20, 60, 100)]
    assert rate[0] == pytest.approx(0.001)
    assert rate[0] < rate[1] < rate[2] == pytest.approx(0.1)
    if schedule == "cosine":
        assert rate[2] > rate[3] > rate[4] == pytest.approx(0.001)
    else:
        assert rate[2:] == pytest.approx([0.1, 0.1, 0.1])


@settings(deadline=None)  # the first example waits for Keras
@given(
    losses=st.lists(st.floats(0.0, 2.0), max_size=20),
    patience=st.integers(1, 4),
    factor=st.sampled_from([0.5, 0.1]),
)
def test_a_plateau_is_what_keras_takes_for_one(
    losses: list[float], patience: int, factor: float
) -> None:
    recipe = make_recipe(
        {}, ["schedule=plateau", f"plateau_patience={patience}", f"plateau_factor={factor}"]
    )
    theirs = keras.callbacks.ReduceLROnPlateau(patience=patience, factor=factor, min_lr=0.0)
    rate = keras.Variable(recipe.learning_rate, dtype="float64")
    theirs.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=rate)))
    theirs.on_train_begin()
    for epoch, loss in enumerate(losses):
        theirs.on_epoch_end(epoch, {"val_loss": loss})
        rate = theirs.model.optimizer.learning_rate
    assert plateau_rate(recipe, losses) == pytest.approx(float(rate), rel=1e-6)
