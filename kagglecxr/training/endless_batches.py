"""Batches without an end, as `fit` takes them; it gets the number of steps per epoch.

For a data set with an end Keras makes two iterators per epoch. Each that is given up is waited for:
by default TensorFlow tunes it in a thread that sleeps for 5 s and longer, and prefetches for it.
"""

from collections.abc import Callable
from typing import Any

import keras

from kagglecxr.core.errors import CxrError
from kagglecxr.models.runtime import generated_dataset

Batches = Callable[[int], tuple[Any, ...]]
"""Returns the batch at a position, which may be larger than ever used."""


def endless_batches(batches: Batches) -> Any:
    """Returns what the backend feeds fastest: a tf.data.Dataset, or else a PyDataset."""
    if keras.backend.backend() == "tensorflow":
        return generated_dataset(batches)
    return EndlessSequence(batches)


class EndlessSequence(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches without an end.

    >>> sequence = EndlessSequence(lambda position: (position % 3,))
    >>> sequence[4], sequence.num_batches
    ((1,), None)
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches

    @property
    def num_batches(self) -> None:
        """None, since there is no last batch."""
        return

    def __getitem__(self, position: int) -> tuple[Any, ...]:
        """Returns the batch at a position."""
        return self._batches(position)


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
