"""`fit` takes its epochs from one iterator, and each epoch is the batches it should be."""

from typing import Any

import keras
import numpy as np
import pytest

from kagglecxr.data.batches.endless import EndlessSequence

EPOCHS, STEPS = 3, 4


class _Listening(keras.Model):  # type: ignore[misc]
    """Keeps the numbers that its batches hold."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.trained: list[int] = []
        self.judged: list[int] = []

    def call(self, images: Any) -> Any:
        return self.dense(images)

    def train_step(self, data: Any) -> dict[str, Any]:
        self.trained.append(int(data[0][0, 0]))
        return {"loss": 0.0}

    def test_step(self, data: Any) -> dict[str, Any]:
        self.judged.append(int(data[0][0, 0]))
        return {"loss": 0.0}


def _batch(place: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((2, 1), place, np.float32), np.zeros((2, 1), np.float32)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="train_step is TensorFlow's")
def test_epochs_take_up_where_the_one_before_ended_and_validation_begins_anew() -> None:
    model, held_out = _Listening(), 3
    model.compile(run_eagerly=True)
    model.fit(
        EndlessSequence(_batch),
        steps_per_epoch=STEPS,
        epochs=EPOCHS,
        shuffle=False,
        validation_data=EndlessSequence(lambda place: _batch(place % held_out)),
        validation_steps=held_out,
        verbose=0,
    )
    assert model.trained == list(range(EPOCHS * STEPS))
    assert model.judged == list(range(held_out)) * EPOCHS
