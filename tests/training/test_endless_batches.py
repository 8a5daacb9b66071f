"""Training goes on in one row of batches, and no iterator of it is tuned."""

from typing import Any

import keras
import numpy as np
import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.training.endless_batches import BatchErrors, EndlessSequence, endless_batches

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
@pytest.mark.parametrize("kind", [endless_batches, EndlessSequence])
def test_epochs_take_up_where_the_one_before_ended_and_validation_begins_anew(kind: Any) -> None:
    model, held_out = _Listening(), 3
    model.compile(run_eagerly=True)
    model.fit(
        kind(_batch),
        steps_per_epoch=STEPS,
        epochs=EPOCHS,
        shuffle=False,
        validation_data=kind(lambda place: _batch(place % held_out)),
        validation_steps=held_out,
        verbose=0,
    )
    assert model.trained == list(range(EPOCHS * STEPS))
    assert model.judged == list(range(held_out)) * EPOCHS


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a tf.data.Dataset")
def test_no_thread_tunes_what_tensorflow_iterates_over() -> None:
    # The end of an iterator waits for that thread, which sleeps for seconds.
    assert endless_batches(_batch).options().autotune.enabled is False


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a tf.data.Dataset")
def test_several_inputs_and_a_smaller_last_batch_are_fed_as_they_are() -> None:
    def batch(place: int) -> tuple[Any, ...]:
        count = 3 - place % 2
        maps, values = np.ones((count, 2, 2, 4), np.float32), np.full((count, 5), place, np.float32)
        return (maps, values), np.eye(3, dtype=np.float32)[:count], np.ones(count, np.float32)

    fed = list(endless_batches(batch).take(3).as_numpy_iterator())
    for place, given in enumerate(fed):
        for one, other in zip(
            keras.tree.flatten(given), keras.tree.flatten(batch(place)), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_batches_are_made_ahead_once_each_and_in_any_order_of_use() -> None:
    made: list[int] = []

    def batch(place: int) -> tuple[int]:
        made.append(place)
        return (place,)

    sequence = EndlessSequence(batch)
    assert [sequence[place] for place in range(20)] == [(place,) for place in range(20)]
    sequence._pool.shutdown()
    assert len(made) == len(set(made)) > 20
    # Keras begins anew once it has seen the shapes of the first batch.
    again = EndlessSequence(batch)
    assert [again[place] for place in (0, 1, 0, 1, 2)] == [(0,), (1,), (0,), (1,), (2,)]


@pytest.mark.parametrize("kind", [endless_batches, EndlessSequence])
def test_an_error_in_a_batch_is_raised_as_it_was(kind: Any) -> None:
    def batch(position: int) -> tuple[Any, ...]:
        if position == 2:
            raise DataError("A shard is damaged.")
        return np.zeros((2, 3), np.float32), np.zeros((2, 1), np.float32)

    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    with pytest.raises(DataError, match=r"^A shard is damaged\.$"), BatchErrors() as errors:
        model.fit(kind(errors.keeping(batch)), steps_per_epoch=STEPS, shuffle=False, verbose=0)
