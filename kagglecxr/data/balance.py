"""Which image stands where in an epoch of balanced batches.

Slots go round the targets, and a target's slots round its classes: any window of a round-robin
holds its members equally often to within one, so every batch is balanced, and so is the epoch.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, SettingError

Ids = npt.NDArray[np.integer]


def slots_needed(needs: Sequence[int]) -> int:
    """The least slots of a round-robin that give member k at least `needs[k]`.

    All but the last round are whole; in the last only the neediest members take part.

    >>> slots_needed([3, 5, 5])
    14
    """
    most = max(needs)
    return (most - 1) * len(needs) + sum(need == most for need in needs)


class EpochPlan:
    """The order of images in each epoch, a pure function of (seed, epoch).

    Args:
        labels: (N,) class ids.
        pools: the class ids of each target, or None for one target a class.
        batch_size: items in a batch.
        seed: fixes all chance.
    """

    def __init__(
        self,
        labels: Ids,
        pools: Sequence[Sequence[int]] | None,
        batch_size: int,
        seed: int,
    ) -> None:
        if not np.issubdtype(labels.dtype, np.integer):
            raise DataError(
                f"Labels are integer class ids. Received: {labels.dtype}. Number the classes from "
                "0."
            )
        if pools is None:
            pools = [[label] for label in range(int(labels.max()) + 1)] if len(labels) else []
        self.pools = [list(pool) for pool in pools]
        self._members = _members(labels, self.pools)
        self._class_needs = [[len(m) for m in members] for members in self._members]
        self._target_needs = [slots_needed(needs) for needs in self._class_needs]
        self.batches = -(-slots_needed(self._target_needs) // batch_size)
        self._slots = self.batches * batch_size
        self._seed = seed
        self._latest: tuple[int, npt.NDArray[np.intp]] | None = None

    def target_of_item(self, labels: Ids) -> npt.NDArray[np.intp]:
        """The target id of each image, (N,)."""
        target = {label: t for t, pool in enumerate(self.pools) for label in pool}
        return np.array([target[label] for label in labels.tolist()], np.intp)

    def order(self, epoch: int) -> npt.NDArray[np.intp]:
        """The images of every slot of an epoch, batch after batch."""
        # Read once: another thread may replace it, with an equal or a later epoch's order.
        latest = self._latest
        if latest is None or latest[0] != epoch:
            latest = (epoch, self._make_order(epoch))
            self._latest = latest
        return latest[1]

    def _make_order(self, epoch: int) -> npt.NDArray[np.intp]:
        random = np.random.default_rng((self._seed, epoch))
        order = np.empty(self._slots, np.intp)
        targets = _turns(self._target_needs, self._slots, random)
        for target, members in enumerate(self._members):
            slots = np.flatnonzero(targets == target)
            classes = _turns(self._class_needs[target], len(slots), random)
            for k, images in enumerate(members):
                own = slots[classes == k]
                rounds = -(-len(own) // len(images))
                shuffled = [random.permutation(images) for _ in range(rounds)]
                order[own] = np.concatenate(shuffled)[: len(own)]
        return order


def _turns(needs: Sequence[int], slots: int, random: np.random.Generator) -> npt.NDArray[np.intp]:
    """Whose turn it is in each slot of a round-robin in random order.

    Whoever needs the last, incomplete round to show all its images stands first in it.
    """
    members = random.permutation(len(needs))
    whole_rounds = slots // len(needs)
    waits = np.array([needs[k] <= whole_rounds for k in members])
    members = members[np.argsort(waits, kind="stable")]
    return np.resize(members, slots)


def _members(labels: Ids, pools: list[list[int]]) -> list[list[npt.NDArray[np.intp]]]:
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
        raise DataError(
            f"A class has no images, so no batch can hold it. Received: none for class "
            f"{empty[0] if empty else 0}. Add images, or leave the class out."
        )
    return members
