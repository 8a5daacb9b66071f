"""Which image stands where in an epoch of balanced batches.

Slots go round the targets, and a target's slots round its classes: any window of a round-robin
holds its members equally often to within one, so every batch is balanced, and so is the epoch.
"""

from collections.abc import Sequence

import numpy as np

from kagglecxr.data.samplers.epoch_sampler import EpochSampler, Items, Targets, shuffled_passes


def slots_needed(needs: Sequence[int]) -> int:
    """The least slots of a round-robin that give member k at least `needs[k]`.

    All but the last round are whole; in the last only the neediest members take part.

    >>> slots_needed([3, 5, 5])
    14
    """
    most = max(needs)
    return (most - 1) * len(needs) + sum(need == most for need in needs)


class BalancedSampler(EpochSampler):
    """Every target equally often in each batch and each epoch, and inside it every class.

    No shorter epoch of whole batches can do so and show every image. In a fair epoch of S slots a
    target gets S over the number of targets, rounded up for as many of them as the remainder; to
    give each what it needs, S must be at least `slots_needed`, and any S from there on will do.

    Args:
        targets: of the images.
        batch_size: items in every batch.
        seed: fixes all chance.
        slots: the least places of an epoch, where they are to be more than needed.
    """

    def __init__(self, targets: Targets, batch_size: int, seed: int, slots: int = 0) -> None:
        self._class_needs = targets.class_counts
        self._target_needs = [slots_needed(needs) for needs in self._class_needs]
        super().__init__(targets, batch_size, max(slots, slots_needed(self._target_needs)), seed)

    def _make_order(self, epoch: int, random: np.random.Generator) -> Items:
        order = np.empty(self.slots, np.intp)
        targets = self._target_turns(epoch, random)
        for target, members in enumerate(self.targets.members):
            slots = np.flatnonzero(targets == target)
            classes = self._class_turns(epoch, target, len(slots), random)
            for k, images in enumerate(members):
                own = slots[classes == k]
                order[own] = shuffled_passes(images, len(own), random)
        return order

    def _target_turns(self, epoch: int, random: np.random.Generator) -> Items:
        """The target of every slot."""
        return _round_robin(self._target_needs, self.slots, random)

    def _class_turns(
        self, epoch: int, target: int, slots: int, random: np.random.Generator
    ) -> Items:
        """The class of every slot of a target, as its place in the target's pool."""
        return _round_robin(self._class_needs[target], slots, random)


def _round_robin(needs: Sequence[int], slots: int, random: np.random.Generator) -> Items:
    """Whose turn it is in each slot of a round-robin in random order.

    Whoever needs the last, incomplete round to show all its images stands first in it.
    """
    members = random.permutation(len(needs))
    whole_rounds = slots // len(needs)
    waits = np.array([needs[k] <= whole_rounds for k in members])
    members = members[np.argsort(waits, kind="stable")]
    return np.resize(members, slots)
