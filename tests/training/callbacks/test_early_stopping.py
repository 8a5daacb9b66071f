"""A training ends when it learns no more, and in time."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core import deadline
from kagglecxr.core.deadline import Deadline
from kagglecxr.training.callbacks.early_stopping import TimeLimit, has_stopped_improving


@settings(deadline=None)  # the first example waits for Keras
@given(losses=st.lists(st.floats(0.0, 2.0), max_size=20), patience=st.integers(1, 5))
def test_patience_is_counted_as_keras_counts_it(losses: list[float], patience: int) -> None:
    theirs = keras.callbacks.EarlyStopping(patience=patience)
    theirs.set_model(SimpleNamespace(stop_training=False))
    theirs.on_train_begin()
    ended = False
    for epoch, loss in enumerate(losses):
        assert has_stopped_improving(losses[:epoch], patience) == ended
        theirs.on_epoch_end(epoch, {"val_loss": loss})
        ended = bool(theirs.model.stop_training)
        if ended:
            break
    assert not has_stopped_improving(losses, None)


class _Clock:
    """A second for each batch."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("seconds", "batches"), [(20.0, 10), (1000.0, 40)])
def test_as_many_batches_are_learned_from_as_leave_time_to_predict(
    seconds: float, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, learned = _Clock(), 0
    monkeypatch.setattr(deadline, "monotonic", clock)
    limit = TimeLimit(Deadline.within(seconds), predictions=36, batch_size=4)

    def tick(batch: int, logs: object) -> None:
        nonlocal learned
        clock.now, learned = clock.now + 1.0, learned + 1

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    images, targets = np.zeros((160, 3)), np.zeros((160, 1))
    model.fit(
        images, targets, batch_size=4, epochs=1, verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=tick), limit],
    )  # fmt: skip
    assert learned == batches
    assert limit.is_over == (batches < 40)
