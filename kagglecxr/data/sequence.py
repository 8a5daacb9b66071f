"""Batches in which every target weighs the same, exactly, and the plain order for prediction."""

import math
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.data.balance import EpochPlan

Pixels = npt.NDArray[np.uint8]
OneHot = npt.NDArray[np.float32]
Transform = Callable[[Pixels, OneHot, np.random.Generator], tuple[npt.NDArray[Any], OneHot]]
"""Takes and returns a batch's images (batch, H, W, C) and one-hot targets (batch, targets);
all chance comes from the generator, which is fixed by (seed, epoch, batch)."""


class BalancedSequence(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches that hold every target equally often, and inside a pooled target every class.

    Every batch has exactly `batch_size` items. In a batch the counts of any two targets differ by
    at most 1, and inside a pooled target so do the counts of its classes; over an epoch likewise.
    An epoch shows every image at least once, inside a class no image more than once more often
    than another, and has the smallest number of batches for which this holds. Batch i of epoch e
    depends only on (seed, e, i), whatever the order of access and the number of workers.

    Args:
        images: (N, H, W) or (N, H, W, C) uint8, an array or a memory map.
        labels: (N,) integer class ids.
        batch_size: items in every batch.
        pools: the list of class ids that make each target, in target order; None for one target
            a class, 0 to the highest label.
        seed: fixes all chance.
        transform: applied to each batch; see `Transform`.
        rows: the rows of `images` that `labels` are for, where they are only some of them, so
            that a fold needs no copy of its images; all where None.
        **pydataset_kwargs: workers, use_multiprocessing, max_queue_size.

    Raises:
        SettingError: a batch size below 1, or pools that hold a class twice.
        DataError: labels that do not fit the images or the pools, or a class without images.

    >>> images = np.zeros((3, 8, 8), np.uint8)
    >>> batches = BalancedSequence(images, np.array([0, 0, 1]), batch_size=4)
    >>> x, y = batches[0]
    >>> x.shape, y.sum(axis=0).tolist(), len(batches)
    ((4, 8, 8, 1), [2.0, 2.0], 1)
    """

    def __init__(
        self,
        images: Pixels,
        labels: npt.NDArray[np.integer],
        batch_size: int,
        *,
        pools: Sequence[Sequence[int]] | None = None,
        seed: int = 0,
        transform: Transform | None = None,
        rows: npt.NDArray[np.intp] | None = None,
        **pydataset_kwargs: Any,
    ) -> None:
        super().__init__(**pydataset_kwargs)
        labels = np.asarray(labels)
        expected = len(images) if rows is None else len(rows)
        if labels.shape != (expected,):
            raise DataError(
                f"There must be one label an image. Received: labels of shape {labels.shape} for "
                f"{expected} images. Pass one class id for each."
            )
        if batch_size < 1:
            raise SettingError(
                f"A batch holds at least one item. Received: batch_size={batch_size}. Use 32."
            )
        self._images = images
        self._rows = rows
        self._batch_size = int(batch_size)
        self._seed = int(seed)
        self._transform = transform
        self._plan = EpochPlan(labels, pools, self._batch_size, self._seed)
        self._target_of_item = self._plan.target_of_item(labels)
        self.epoch = 0

    @property
    def num_targets(self) -> int:
        """How many targets there are."""
        return len(self._plan.pools)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._plan.batches

    def __getitem__(self, batch: SupportsIndex) -> tuple[npt.NDArray[Any], OneHot]:
        """Batch `batch` of the current epoch: images (batch, H, W, C), one-hot targets."""
        number = batch.__index__()
        number += len(self) if number < 0 else 0
        if not 0 <= number < len(self):
            raise IndexError(f"There is no batch {batch} in an epoch of {len(self)} batches.")
        epoch = self.epoch
        items = self._plan.order(epoch)[number * self._batch_size :][: self._batch_size]
        images = _take(self._images, items if self._rows is None else self._rows[items])
        targets = np.eye(self.num_targets, dtype=np.float32)[self._target_of_item[items]]
        if self._transform is None:
            return images, targets
        random = np.random.default_rng((self._seed, epoch, number))
        return self._transform(images, targets, random)

    def on_epoch_end(self) -> None:
        """Moves to the next epoch."""
        self.epoch += 1


class OrderedSequence(keras.utils.PyDataset):  # type: ignore[misc]
    """Images in their order, each once, for prediction; the last batch is as long as what is left.

    Args:
        images: (N, H, W) or (N, H, W, C) uint8, an array or a memory map.
        rows: which rows of it, in which order.
        batch_size: images in a batch.
        targets: (rows, targets) one-hot answers, where the predictions are to be scored.
        view: what is done to a batch (batch, H, W, C), as a flip; nothing where None.
        **pydataset_kwargs: workers, use_multiprocessing, max_queue_size.
    """

    def __init__(
        self,
        images: Pixels,
        rows: npt.NDArray[np.intp],
        batch_size: int,
        *,
        targets: OneHot | None = None,
        view: Callable[[Pixels], Pixels] | None = None,
        **pydataset_kwargs: Any,
    ) -> None:
        super().__init__(**pydataset_kwargs)
        self._images, self._rows = images, rows
        self._batch_size, self._targets, self._view = batch_size, targets, view

    def __len__(self) -> int:
        """Batches in all."""
        return math.ceil(len(self._rows) / self._batch_size)

    def __getitem__(self, batch: SupportsIndex) -> tuple[Pixels] | tuple[Pixels, OneHot]:
        """One batch: images alone in a tuple, or with their targets."""
        start = batch.__index__() * self._batch_size
        part = slice(start, start + self._batch_size)
        images = _take(self._images, self._rows[part])
        if self._view is not None:
            images = self._view(images)
        return (images,) if self._targets is None else (images, self._targets[part])


def _take(images: Pixels, rows: npt.NDArray[np.intp]) -> Pixels:
    taken = np.asarray(images[rows])
    return taken if taken.ndim == 4 else taken[..., None]
