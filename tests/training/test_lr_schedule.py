"""Learning rates follow their schedules."""

from types import SimpleNamespace

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.training.lr_schedule import learning_rate, plateau_rate
from kagglecxr.training.recipe import make_recipe


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
