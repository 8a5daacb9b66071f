"""Keras sequences over cached images: sampled batches and ordered batches."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, SupportsIndex

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.data.images.image_array import ImageArray
from kagglecxr.data.samplers.balanced import BalancedSampler
from kagglecxr.data.samplers.epoch_sampler import EpochSampler, Targets
from kagglecxr.data.samplers.multilabel import Findings, MultiLabelSampler
from kagglecxr.data.samplers.progressive import ProgressiveSampler, Rate
from kagglecxr.data.sequences.mixup import OneHot, Pixels

Transform = Callable[[Pixels, OneHot, np.random.Generator], tuple[npt.NDArray[Any], OneHot]]
"""Changes a batch's images (batch, H, W, C) and one-hot targets (batch, targets); the generator,
which is fixed by (seed, epoch, batch), is its only source of randomness."""


class TargetRows(Protocol):
    """What is true of images: an array (images, ...) float32, or what is read as one."""

    def __len__(self) -> int: ...

    def __getitem__(self, items: Any, /) -> OneHot: ...


class SampledSequence(keras.utils.PyDataset):  # type: ignore[misc]
    """Full batches in the order of a sampler.

    Batch i of epoch e depends only on (seed, e, i), for any order of access and any number of
    workers. An item is (images, targets), or (images, targets, weights) if the sampler has weights.

    Args:
        images: (N, H, W) or (N, H, W, C) uint8, an array, a memory map or a cache's images.
        sampler: orders the images of each epoch.
        targets: (M, ...) float32, the targets of the images the sampler numbers; defaults to the
            one-hot targets of their labels.
        transform: applied to each batch; see `Transform`.
        rows: (M,) the rows of `images` that the sampler numbers, so that a fold needs no copy of
            its images; defaults to all.
        steps: batches per epoch; defaults to the sampler's. The next epoch continues where the last
            one ended.
        **pydataset_kwargs: workers, use_multiprocessing, max_queue_size.

    Raises:
        DataError: the sampler is for another number of images.
    """

    def __init__(
        self,
        images: ImageArray,
        sampler: EpochSampler,
        *,
        targets: TargetRows | None = None,
        transform: Transform | None = None,
        rows: npt.NDArray[np.intp] | None = None,
        steps: int | None = None,
        **pydataset_kwargs: Any,
    ) -> None:
        super().__init__(**pydataset_kwargs)
        expected, labelled = len(images if rows is None else rows), len(sampler.targets.of_item)
        if labelled != expected:
            raise DataError(
                f"There must be one label per image. Received: {labelled} labels for {expected} "
                "images. Pass one class id for each."
            )
        self._images, self._rows = images, rows
        self._sampler, self._transform = sampler, transform
        if targets is None:
            targets = np.eye(self.num_targets, dtype=np.float32)[sampler.targets.of_item]
        self._targets: TargetRows = targets
        self._steps = sampler.batches if steps is None else steps
        self.epoch = 0

    @property
    def num_targets(self) -> int:
        """The number of targets."""
        return len(self._sampler.targets)

    def __len__(self) -> int:
        """The number of batches per epoch."""
        return self._steps

    def __getitem__(self, batch: SupportsIndex) -> tuple[npt.NDArray[Any], ...]:
        """Returns a batch of the current epoch: images (batch, H, W, C) and targets."""
        number = batch.__index__()
        number += len(self) if number < 0 else 0
        if not 0 <= number < len(self):
            raise IndexError(f"There is no batch {batch} in an epoch of {len(self)} batches.")
        return self.batch_at(self.epoch * len(self) + number)

    def batch_at(self, position: int) -> tuple[npt.NDArray[Any], ...]:
        """Returns a batch of any epoch by its position, counted from the start of epoch 0."""
        images, targets, weights = self._sample(position)
        if self._transform is not None:
            sampler = self._sampler
            random = np.random.default_rng((sampler.seed, *divmod(position, sampler.batches)))
            images, targets = self._transform(images, targets, random)
        return (images, targets) if weights is None else (images, targets, weights)

    def _sample(
        self, position: int
    ) -> tuple[npt.NDArray[Any], OneHot, npt.NDArray[np.float32] | None]:
        """Returns the untransformed images of a batch, their targets and weights."""
        sampler = self._sampler
        epoch, number = divmod(position, sampler.batches)
        items = sampler.order(epoch)[number * sampler.batch_size :][: sampler.batch_size]
        images = take_images(self._images, items if self._rows is None else self._rows[items])
        weights = None if sampler.weights is None else sampler.weights[items]
        return images, self._targets[items], weights

    def on_epoch_end(self) -> None:
        """Moves to the next epoch."""
        self.epoch += 1

    def in_step(self) -> keras.callbacks.Callback:
        """Returns a callback that keeps `epoch` equal to the epoch that `fit` counts.

        Without it `fit` starts one epoch late, since Keras ends an epoch before the first one
        begins (`epoch_iterator.reset()`).
        """

        def set_epoch(epoch: int, logs: dict[str, Any] | None) -> None:
            self.epoch = epoch

        return keras.callbacks.LambdaCallback(on_epoch_begin=set_epoch)


class BalancedSequence(SampledSequence):
    """Batches with every target, and every class of a pooled target, equally often.

    Every batch has exactly `batch_size` items. In a batch the counts of any two targets differ by
    at most 1, and so do the counts of the classes of a pooled target; the same holds for an epoch.
    An epoch shows every image at least once, and the counts of any two images of a class differ by
    at most 1. It has the smallest number of batches for which this holds. Batch i of epoch e
    depends only on (seed, e, i), for any order of access and any number of workers.

    Of images with several findings each, `labels` are a table of 0 and 1, NaN where a label is to
    be ignored, and targets that table's lines. Every batch then has at least floor((B - u) / M)
    images with each finding, where B is its size, M the number of findings that have images, plus
    one if there are images without a finding, which count as a finding here, and u the number of
    images in a batch of which NaN leaves open whether they have any; see `MultiLabelSampler`.

    Args:
        images: (N, H, W) or (N, H, W, C) uint8, an array, a memory map or a cache's images.
        labels: (N,) integer class ids, or (N, K) 0, 1 or NaN, whether an image has each finding.
        batch_size: number of items in every batch.
        pools: the list of class ids of each target, in target order; defaults to one target per
            class, 0 to the highest label. Findings have none.
        seed: fixes all random choices.
        transform: applied to each batch; see `Transform`.
        rows: (M,) the rows of `images` that `labels` belong to; defaults to all.
        rate: how balanced each epoch is, for example a `linear_rate`; defaults to always balanced.
            With a rate the properties are those of `ProgressiveSampler`, and `fit` needs the
            callback of `in_step` to start with the rate of epoch 0.
        **pydataset_kwargs: workers, use_multiprocessing, max_queue_size.

    Raises:
        SettingError: a batch size below 1, a seed below 0, a class in two pools, or pools or a
            rate of findings.
        DataError: labels that do not fit the images or the pools, or a class without images.

    >>> images = np.zeros((3, 8, 8), np.uint8)
    >>> batches = BalancedSequence(images, np.array([0, 0, 1]), batch_size=4)
    >>> x, y = batches[0]
    >>> x.shape, y.sum(axis=0).tolist(), len(batches)
    ((4, 8, 8, 1), [2.0, 2.0], 1)
    """

    def __init__(
        self,
        images: ImageArray,
        labels: npt.NDArray[Any],
        batch_size: int,
        *,
        pools: Sequence[Sequence[int]] | None = None,
        seed: int = 0,
        transform: Transform | None = None,
        rows: npt.NDArray[np.intp] | None = None,
        rate: Rate | None = None,
        **pydataset_kwargs: Any,
    ) -> None:
        labels = np.asarray(labels)
        # A single column is more likely a table of class ids than one finding.
        if labels.ndim == 2 and labels.shape[1] > 1:
            if pools is not None or rate is not None:
                raise SettingError(
                    "Findings are balanced one by one, always. Received: labels of two dimensions "
                    "with pools or a rate. Leave those out."
                )
            sampler: EpochSampler = MultiLabelSampler(Findings(labels), batch_size, seed)
            table = labels.astype(np.float32)
        else:
            targets, table = Targets(labels, pools), None
            sampler = (
                BalancedSampler(targets, batch_size, seed)
                if rate is None
                else ProgressiveSampler(targets, batch_size, seed, rate)
            )
        super().__init__(
            images, sampler, targets=table, transform=transform, rows=rows, **pydataset_kwargs
        )


class OrderedSequence(keras.utils.PyDataset):  # type: ignore[misc]
    """Images in a given order, each once, for prediction; the last batch may be smaller.

    `rows` (M,) of `images` are shown in this order, with one-hot `targets` (M, targets) if the
    predictions are evaluated, after the `view`, such as a flip.
    """

    def __init__(
        self,
        images: ImageArray,
        rows: npt.NDArray[np.intp],
        batch_size: int,
        *,
        targets: TargetRows | None = None,
        view: Callable[[Pixels], Pixels] | None = None,
        **pydataset_kwargs: Any,
    ) -> None:
        super().__init__(**pydataset_kwargs)
        self._images, self._rows = images, rows
        self._batch_size, self._targets, self._view = batch_size, targets, view

    def __len__(self) -> int:
        """The number of batches."""
        return math.ceil(len(self._rows) / self._batch_size)

    def __getitem__(self, batch: SupportsIndex) -> tuple[Pixels] | tuple[Pixels, OneHot]:
        """Returns a batch: (images,) or (images, targets)."""
        start = batch.__index__() * self._batch_size
        part = slice(start, start + self._batch_size)
        images = take_images(self._images, self._rows[part])
        if self._view is not None:
            images = self._view(images)
        return (images,) if self._targets is None else (images, self._targets[part])


def take_images(images: ImageArray, rows: npt.NDArray[np.intp]) -> Pixels:
    """Returns some rows of (N, H, W) or (N, H, W, C) as (rows, H, W, C)."""
    taken = np.asarray(images[rows])
    return taken if taken.ndim == 4 else taken[..., None]
