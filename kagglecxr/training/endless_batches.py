"""Batches without an end, as `fit` takes them; it gets the number of steps per epoch.

For a data set with an end Keras makes two iterators per epoch. Each that is given up is waited for:
by default TensorFlow tunes it in a thread that sleeps for 5 s and longer, and prefetches for it.
"""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras

from kagglecxr.core.errors import CxrError
from kagglecxr.models.runtime import generated_dataset

Batches = Callable[[int], tuple[Any, ...]]
"""Returns the batch at a position, which may be larger than ever used."""

_MOST_THREADS = 8
"""More wait for each other, since what Python itself does of a batch is done by one at a time."""


def endless_batches(batches: Batches) -> Any:
    """Returns what the backend feeds fastest: a tf.data.Dataset, or else a PyDataset."""
    if keras.backend.backend() == "tensorflow":
        return generated_dataset(batches)
    return EndlessSequence(batches)


class EndlessSequence(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches without an end, which threads make ahead of their use.

    Keras' own threads are stopped and waited for after each epoch.

    >>> sequence = EndlessSequence(lambda position: (position % 3,))
    >>> sequence[4], sequence.num_batches
    ((1,), None)
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches
        threads = min(os.cpu_count() or 1, _MOST_THREADS)
        self._pool, self._ahead = ThreadPoolExecutor(threads), threads + 1
        self._made: dict[int, Future[tuple[Any, ...]]] = {}

    @property
    def num_batches(self) -> None:
        """None, since there is no last batch."""
        return

    def __getitem__(self, position: int) -> tuple[Any, ...]:
        """Returns the batch at a position, and has those behind it made."""
        self._made = {
            number: self._made.get(number) or self._pool.submit(self._batches, number)
            for number in range(position, position + self._ahead)
        }
        return self._made[position].result()


class BatchErrors:
    """A scope in which an error in a batch is raised as it was, not as a backend wraps it."""

    def __init__(self) -> None:
        self._first: CxrError | None = None

    def keeping(self, batches: Batches) -> Batches:
        """Returns the same batches; an error of theirs is kept."""

        def batch(position: int) -> tuple[Any, ...]:
            try:
                return batches(position)
            except CxrError as error:
                self._first = self._first or error
                raise

        return batch

    def __enter__(self) -> "BatchErrors":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None and self._first is not None:
            raise self._first
