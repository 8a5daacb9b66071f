"""Keras sequences over cached images: sampled batches, ordered batches, endless batches."""

import math
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.data.samplers.balanced import BalancedSampler
from kagglecxr.data.samplers.epoch_sampler import EpochSampler, Targets
from kagglecxr.data.samplers.progressive import ProgressiveSampler, Rate

Pixels = npt.NDArray[np.uint8]
OneHot = npt.NDArray[np.float32]
Transform = Callable[[Pixels, OneHot, np.random.Generator], tuple[npt.NDArray[Any], OneHot]]
"""Takes and returns a batch's images (batch, H, W, C) and one-hot targets (batch, targets);
all chance comes from the generator, which is fixed by (seed, epoch, batch)."""


class SampledSequence(keras.utils.PyDataset):  # type: ignore[misc]
    """Full batches in the order of a plan, as `make_plan` in `sampling` makes them.

    Batch i of epoch e depends only on (seed, e, i), whatever the order of access and the number of
    workers. An item is (images, targets), and weights too where the plan has them.

    Args:
        images: (N, H, W) or (N, H, W, C) uint8, an array or a memory map.
        plan: which image stands where in an epoch.
        targets: (N, ...) float32, what is learned of each image; its one-hot target where None.
        transform: applied to each batch; see `Transform`.
        rows: the rows of `images` that the plan numbers, where they are only some of them, so that
            a fold needs no copy of its images; all where None.
        steps: batches in an epoch, which goes on in the plan where the one before ended; as many
            as the plan has where None.
        **pydataset_kwargs: workers, use_multiprocessing, max_queue_size.

    Raises:
        DataError: a plan for another number of images.
    """

    def __init__(
        self,
        images: Pixels,
        plan: EpochSampler,
        *,
        targets: OneHot | None = None,
        transform: Transform | None = None,
        rows: npt.NDArray[np.intp] | None = None,
        steps: int | None = None,
        **pydataset_kwargs: Any,
    ) -> None:
        super().__init__(**pydataset_kwargs)
        expected, labelled = len(images if rows is None else rows), len(plan.targets.of_item)
        if labelled != expected:
            raise DataError(
                f"There must be one label an image. Received: {labelled} labels for {expected} "
                "images. Pass one class id for each."
            )
        self._images, self._rows = images, rows
        self._plan, self._transform = plan, transform
        one_hot = np.eye(self.num_targets, dtype=np.float32)
        self._targets = one_hot[plan.targets.of_item] if targets is None else targets
        self._steps = plan.batches if steps is None else steps
        self.epoch = 0

    @property
    def num_targets(self) -> int:
        """How many targets there are."""
        return len(self._plan.targets)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._steps

    def __getitem__(self, batch: SupportsIndex) -> tuple[npt.NDArray[Any], ...]:
        """Batch `batch` of the current epoch: images (batch, H, W, C), one-hot targets."""
        number = batch.__index__()
        number += len(self) if number < 0 else 0
        if not 0 <= number < len(self):
            raise IndexError(f"There is no batch {batch} in an epoch of {len(self)} batches.")
        return self.batch_at(self.epoch * len(self) + number)

    def batch_at(self, place: int) -> tuple[npt.NDArray[Any], ...]:
        """A batch of any epoch, by its place counted from the first of the first epoch on."""
        images, targets, weights = self._chosen(place)
        if self._transform is not None:
            random = np.random.default_rng((self._plan.seed, *divmod(place, self._plan.batches)))
            images, targets = self._transform(images, targets, random)
        return (images, targets) if weights is None else (images, targets, weights)

    def _chosen(
        self, place: int
    ) -> tuple[npt.NDArray[Any], OneHot, npt.NDArray[np.float32] | None]:
        """The images of a batch as they are, their targets, and what they weigh.

        Args:
            place: the batch's, counted from the first of the first epoch on.
        """
        plan = self._plan
        epoch, number = divmod(place, plan.batches)
        items = plan.order(epoch)[number * plan.batch_size :][: plan.batch_size]
        images = take_images(self._images, items if self._rows is None else self._rows[items])
        return images, self._targets[items], None if plan.weights is None else plan.weights[items]

    def on_epoch_end(self) -> None:
        """Moves to the next epoch."""
        self.epoch += 1

    def in_step(self) -> keras.callbacks.Callback:
        """A callback that keeps `epoch` the same as the epoch `fit` counts, from its first on.

        Without it `fit` begins one epoch later than `epoch` stands: Keras ends an epoch before the
        first one begins (`epoch_iterator.reset()`).
        """

        def follow(epoch: int, logs: dict[str, Any] | None) -> None:
            self.epoch = epoch

        return keras.callbacks.LambdaCallback(on_epoch_begin=follow)


class BalancedSequence(SampledSequence):
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
        rows: the rows of `images` that `labels` are for, where they are only some of them; all
            where None.
        rate: how balanced each epoch is, as `linear_rate` says; always balanced where None. With a
            rate the promises are those of `ProgressiveSampler`, whose epochs may be a little
            longer; give `fit` the callback of `in_step`, or it begins with the rate of epoch 1.
        **pydataset_kwargs: workers, use_multiprocessing, max_queue_size.

    Raises:
        SettingError: a batch size below 1, a seed below 0, or pools that hold a class twice.
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
        rate: Rate | None = None,
        **pydataset_kwargs: Any,
    ) -> None:
        targets = Targets(np.asarray(labels), pools)
        plan = (
            BalancedSampler(targets, batch_size, seed)
            if rate is None
            else ProgressiveSampler(targets, batch_size, seed, rate)
        )
        super().__init__(images, plan, transform=transform, rows=rows, **pydataset_kwargs)


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
        images = take_images(self._images, self._rows[part])
        if self._view is not None:
            images = self._view(images)
        return (images,) if self._targets is None else (images, self._targets[part])


def take_images(images: Pixels, rows: npt.NDArray[np.intp]) -> Pixels:
    """Some rows of (N, H, W) or (N, H, W, C) as (rows, H, W, C)."""
    taken = np.asarray(images[rows])
    return taken if taken.ndim == 4 else taken[..., None]


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
