"""Learning rates follow their schedules."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.training.lr_schedule import RateSchedule, plateau_rate, scheduled_rate
from kagglecxr.training.recipe import make_recipe


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_rate_rises_then_falls_or_stays(schedule: str) -> None:
    recipe = make_recipe({}, ["learning_rate=0.1", "warmup=0.2", f"schedule={schedule}"])
    rate = [scheduled_rate(recipe, step, 100) for step in (0, 10, 20, 60, 100)]
    assert rate[0] == pytest.approx(0.001)
    assert rate[0] < rate[1] < rate[2] == pytest.approx(0.1)
    if schedule == "cosine":
        assert rate[2] > rate[3] > rate[4] == pytest.approx(0.001)
    else:
        assert rate[2:] == pytest.approx([0.1, 0.1, 0.1])


@settings(deadline=None, max_examples=50)  # the first example waits for Keras
@given(
    steps=st.integers(1, 200),
    share=st.floats(0.0, 1.2),
    warmup=st.sampled_from([0.0, 0.1, 0.5]),
    schedule=st.sampled_from(["cosine", "constant"]),
)
def test_a_rate_is_that_of_cosine_decay(
    steps: int, share: float, warmup: float, schedule: str
) -> None:
    recipe = make_recipe({}, [f"warmup={warmup}", f"schedule={schedule}"])
    peak, rising = recipe.learning_rate, round(warmup * steps)
    theirs = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / 100 if rising else peak,
        decay_steps=max(steps - rising, 1),
        alpha=0.01 if schedule == "cosine" else 1.0,
        warmup_target=peak if rising else None,
        warmup_steps=rising,
    )
    step = int(share * steps)
    assert scheduled_rate(recipe, step, steps) == pytest.approx(float(theirs(step)), rel=1e-4)


def test_each_batch_of_a_stage_has_its_own_rate() -> None:
    recipe = make_recipe({}, ["epochs=2", "learning_rate=0.1", "warmup=0.25"])
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    rates: list[float] = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: rates.append(float(model.optimizer.learning_rate))
    )
    # The second of two epochs after a stage of three, as a training that resumes there.
    model.fit(
        np.ones((4, 1)),
        np.ones((4, 1)),
        batch_size=1,
        initial_epoch=4,
        epochs=5,
        verbose=0,
        callbacks=[RateSchedule(recipe, 4, 3, list), record],
    )
    assert rates == pytest.approx([scheduled_rate(recipe, step, 8) for step in (4, 5, 6, 7)])


def test_under_a_plateau_an_epoch_has_the_rate_that_its_losses_say() -> None:
    recipe = make_recipe({}, ["schedule=plateau", "plateau_patience=1", "learning_rate=0.1"])
    schedule = RateSchedule(recipe, 4, 0, lambda: [0.5, 0.5])
    schedule.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=None)))
    schedule.on_epoch_begin(2)
    schedule.on_train_batch_begin(3)
    assert schedule.model.optimizer.learning_rate == plateau_rate(recipe, [0.5, 0.5]) < 0.1


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
