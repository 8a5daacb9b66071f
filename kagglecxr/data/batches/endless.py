"""Batches without an end, so that `fit` takes all its epochs from one iterator."""

from collections.abc import Callable
from typing import Any

import keras


class EndlessSequence(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches by their places 0, 1, 2 and so on, of which `fit` is told how many make an epoch.

    Keras makes two iterators an epoch out of a data set that has an end, and throws one of them
    away while TensorFlow still fetches ahead for it, which has been seen to take half a minute.

    Args:
        batch: of a place; any place, since more are fetched than are used.

    >>> sequence = EndlessSequence(lambda place: (place % 3,))
    >>> sequence[4], sequence.num_batches
    ((1,), None)
    """

    def __init__(self, batch: Callable[[int], tuple[Any, ...]]) -> None:
        super().__init__()
        self._batch = batch

    @property
    def num_batches(self) -> None:
        """No number: they do not end."""
        return

    def __getitem__(self, place: int) -> tuple[Any, ...]:
        """The batch of a place."""
        return self._batch(place)
