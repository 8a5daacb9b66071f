"""The base class of samplers, and the targets whose images they order."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, SettingError

Ids = npt.NDArray[np.integer]
Items = npt.NDArray[np.intp]
"""Positions of images in the array of labels."""


class Targets:
    """The targets of a data set, the classes of each target, and the images of each class.

    Args:
        labels: (N,) class ids.
        pools: the class ids of each target; None for one target per class.

    Attributes:
        members: the images of each class of each target.

    Raises:
        SettingError: a pool is empty, or a class is in two pools.
        DataError: labels are no integers or in no pool, or a class has no images.
    """

    def __init__(self, labels: Ids, pools: Sequence[Sequence[int]] | None) -> None:
        if labels.ndim != 1:
            raise DataError(
                f"There must be one label per image. Received: labels of shape {labels.shape}. "
                "Pass one class id for each."
            )
        if not np.issubdtype(labels.dtype, np.integer):
            raise DataError(
                f"Labels are integer class ids. Received: {labels.dtype}. Number the classes from "
                "0."
            )
        self.pools = _one_per_class(labels) if pools is None else [list(pool) for pool in pools]
        self.members = _find_members(labels, self.pools)
        self._items = len(labels)

    @cached_property
    def of_item(self) -> Items:
        """(N,) int, the target id of each image."""
        targets = np.empty(self._items, np.intp)
        for target, members in enumerate(self.members):
            targets[np.concatenate(members)] = target
        return targets

    @property
    def class_counts(self) -> list[list[int]]:
        """The number of images of each class of each target."""
        return [[len(images) for images in members] for members in self.members]

    @property
    def largest_total(self) -> int:
        """The fewest images per target at which equally frequent classes keep all their images."""
        return max(len(counts) * max(counts) for counts in self.class_counts)

    def __len__(self) -> int:
        """The number of targets."""
        return len(self.pools)


class EpochSampler(ABC):
    """Base class of samplers: the order of images in an epoch is a pure function of (seed, epoch).

    Args:
        slots: minimum number of images in an epoch; rounded up to full batches.

    Attributes:
        batches: number of batches in every epoch.
        weights: (N,) float32, each image's weight in the loss; None if all are equal.

    Raises:
        SettingError: the batch size is below 1, or the seed below 0.
    """

    weights: npt.NDArray[np.float32] | None = None

    def __init__(self, targets: Targets, batch_size: int, slots: int, seed: int) -> None:
        if batch_size < 1 or batch_size != int(batch_size):
            raise SettingError(
                f"A batch holds at least one image. Received: batch_size={batch_size}. Use 32."
            )
        if seed < 0:
            raise SettingError(
                f"A seed is a whole number of at least 0. Received: seed={seed}. Use 0."
            )
        self.targets, self.batch_size, self.seed = targets, int(batch_size), int(seed)
        self.batches = -(-slots // self.batch_size)
        self._latest: tuple[int, Items] | None = None

    @property
    def slots(self) -> int:
        """The number of images in an epoch, repeated ones included."""
        return self.batches * self.batch_size

    def order(self, epoch: int) -> Items:
        """Returns (slots,) int, the images of an epoch in order, batch after batch."""
        # Read once: another thread may replace it with an equal order or that of a later epoch.
        latest = self._latest
        if latest is None or latest[0] != epoch:
            latest = (epoch, self._make_order(epoch, np.random.default_rng((self.seed, epoch))))
            self._latest = latest
        return latest[1]

    @abstractmethod
    def _make_order(self, epoch: int, random: np.random.Generator) -> Items:
        """Makes the order of an epoch; the generator is fixed by (seed, epoch)."""


def shuffled_passes(images: Items, slots: int, random: np.random.Generator) -> Items:
    """Fills the slots with pass after pass over all images, each pass shuffled anew."""
    passes = -(-slots // len(images))
    return np.concatenate([random.permutation(images) for _ in range(passes)])[:slots]


def _one_per_class(labels: Ids) -> list[list[int]]:
    present = np.unique(labels)
    # Checked before pools are made: one wrong id of a billion would make a billion targets.
    gaps = np.flatnonzero(present != np.arange(len(present)))
    if len(gaps) and present[0] >= 0:
        raise _without_images(int(gaps[0]))
    return [[label] for label in range(len(present))]


def _find_members(labels: Ids, pools: list[list[int]]) -> list[list[Items]]:
    pooled = [label for pool in pools for label in pool]
    if len(set(pooled)) != len(pooled) or not all(pools):
        raise SettingError(
            f"Pools hold each class once and at least one class each. Received: {pools}. "
            "Name every class in one pool."
        )
    present = set(labels.tolist())
    unknown = sorted(present - set(pooled))
    if unknown:
        raise DataError(
            f"Labels were found that are in no target. Received: class {unknown[0]} and targets "
            f"{pools}. Put it into a pool, or leave its images out."
        )
    empty = [label for label in pooled if label not in present]
    if empty or not pools:
        raise _without_images(empty[0] if empty else 0)
    return [[np.flatnonzero(labels == label) for label in pool] for pool in pools]


def _without_images(label: int) -> DataError:
    return DataError(
        f"A class has no images, so no batch can contain it. Received: none for class {label}. "
        "Add images, or leave the class out."
    )
