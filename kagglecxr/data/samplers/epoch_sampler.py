"""What every plan of an epoch has in common: whose image it is, and one order an epoch."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, SettingError

Ids = npt.NDArray[np.integer]
Items = npt.NDArray[np.intp]
"""Numbers of images, in the order of their labels."""


class Targets:
    """The targets of a data set, the classes that make each, and the images of each class.

    Args:
        labels: (N,) class ids.
        pools: the class ids of each target, or None for one target a class, 0 to the highest.

    Attributes:
        pools: the class ids of each target.
        members: the images of each class of each target.

    Raises:
        SettingError: pools that are empty or hold a class twice.
        DataError: labels that are no integers or that no pool holds, or a class without images.
    """

    def __init__(self, labels: Ids, pools: Sequence[Sequence[int]] | None) -> None:
        if labels.ndim != 1:
            raise DataError(
                f"There must be one label an image. Received: labels of shape {labels.shape}. "
                "Pass one class id for each."
            )
        if not np.issubdtype(labels.dtype, np.integer):
            raise DataError(
                f"Labels are integer class ids. Received: {labels.dtype}. Number the classes from "
                "0."
            )
        self.pools = _one_a_class(labels) if pools is None else [list(pool) for pool in pools]
        self.members = _members(labels, self.pools)
        self._items = len(labels)

    @cached_property
    def of_item(self) -> Items:
        """The target id of each image, (N,)."""
        targets = np.empty(self._items, np.intp)
        for target, members in enumerate(self.members):
            targets[np.concatenate(members)] = target
        return targets

    @property
    def class_counts(self) -> list[list[int]]:
        """The number of images of each class of each target."""
        return [[len(images) for images in members] for members in self.members]

    def __len__(self) -> int:
        """How many targets there are."""
        return len(self.pools)


class EpochSampler(ABC):
    """Which image stands where in an epoch, a pure function of (seed, epoch).

    Args:
        targets: of the images.
        batch_size: items in every batch.
        slots: the least places an epoch has; they are rounded up to whole batches.
        seed: fixes all chance.

    Attributes:
        batches: of an epoch, the same in each.
        weights: (N,) what each image weighs in the loss; None where all weigh the same.

    Raises:
        SettingError: a batch size below 1, or a seed below 0.
    """

    weights: npt.NDArray[np.float32] | None = None

    def __init__(self, targets: Targets, batch_size: int, slots: int, seed: int) -> None:
        if batch_size < 1 or batch_size != int(batch_size):
            raise SettingError(
                f"A batch holds at least one item. Received: batch_size={batch_size}. Use 32."
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
        """The places of an epoch."""
        return self.batches * self.batch_size

    def order(self, epoch: int) -> Items:
        """The images of every slot of an epoch, batch after batch."""
        # Read once: another thread may replace it, with an equal or a later epoch's order.
        latest = self._latest
        if latest is None or latest[0] != epoch:
            latest = (epoch, self._make_order(epoch, np.random.default_rng((self.seed, epoch))))
            self._latest = latest
        return latest[1]

    @abstractmethod
    def _make_order(self, epoch: int, random: np.random.Generator) -> Items:
        """The order of an epoch, with the generator fixed by (seed, epoch)."""


def shuffled_passes(images: Items, slots: int, random: np.random.Generator) -> Items:
    """So many images, round after round of all of them, each round shuffled anew."""
    rounds = -(-slots // len(images))
    return np.concatenate([random.permutation(images) for _ in range(rounds)])[:slots]


def _one_a_class(labels: Ids) -> list[list[int]]:
    present = np.unique(labels)
    # Looked for here, since one stray id of a billion would make a billion targets.
    gaps = np.flatnonzero(present != np.arange(len(present)))
    if len(gaps) and present[0] >= 0:
        raise _without_images(int(gaps[0]))
    return [[label] for label in range(len(present))]


def _members(labels: Ids, pools: list[list[int]]) -> list[list[Items]]:
    """The images of each class of each target."""
    pooled = [label for pool in pools for label in pool]
    if len(set(pooled)) != len(pooled) or not all(pools):
        raise SettingError(
            f"Pools hold each class once and at least one class each. Received: {pools}. "
            "Name every class in one pool."
        )
    strange = sorted(set(labels.tolist()) - set(pooled))
    if strange:
        raise DataError(
            f"Labels were found that no target holds. Received: class {strange[0]} and targets "
            f"{pools}. Put it into a pool, or leave its images out."
        )
    members = [[np.flatnonzero(labels == label) for label in pool] for pool in pools]
    empty = [
        label
        for pool, images in zip(pools, members, strict=True)
        for label, rows in zip(pool, images, strict=True)
        if not len(rows)
    ]
    if empty or not pools:
        raise _without_images(empty[0] if empty else 0)
    return members


def _without_images(label: int) -> DataError:
    return DataError(
        f"A class has no images, so no batch can hold it. Received: none for class {label}. "
        "Add images, or leave the class out."
    )
