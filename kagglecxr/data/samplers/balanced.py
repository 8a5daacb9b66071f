"""The sampler of balanced batches.

Slots go round-robin over the targets, and a target's slots round-robin over its classes. Any window
of a round-robin holds its members equally often to within one, so every batch and every epoch is
balanced.
"""

from collections.abc import Sequence

import numpy as np

from kagglecxr.data.samplers.epoch_sampler import EpochSampler, Items, Targets, shuffled_passes


def slots_needed(needs: Sequence[int]) -> int:
    """Returns the fewest slots of a round-robin in which member k gets at least `needs[k]`.

    All rounds but the last are complete; the last holds the members with the largest need.

    >>> slots_needed([3, 5, 5])
    14
    """
    most = max(needs)
    return (most - 1) * len(needs) + sum(need == most for need in needs)


class BalancedSampler(EpochSampler):
    """Samples every target, and every class of a target, equally often in each batch and epoch.

    The epoch is the shortest one of full batches that does so and shows every image. In a fair
    epoch of S slots a target gets S over the number of targets, rounded up for as many of them as
    the remainder. `slots_needed` is the smallest S that gives each target what it needs; any larger
    S does so too, so an epoch may have more `slots`.
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
        """Returns the target of each slot."""
        return round_robin(self._target_needs, self.slots, random)

    def _class_turns(
        self, epoch: int, target: int, slots: int, random: np.random.Generator
    ) -> Items:
        """Returns the class of each slot of a target, as its position in the target's pool."""
        return round_robin(self._class_needs[target], slots, random)


def round_robin(needs: Sequence[int], slots: int, random: np.random.Generator) -> Items:
    """Returns the member of each slot of a round-robin in random order.

    Members that need the last, incomplete round to show all their images come first in it.
    """
    members = random.permutation(len(needs))
    complete_rounds = slots // len(needs)
    is_served = np.array([needs[k] <= complete_rounds for k in members])
    return np.resize(members[np.argsort(is_served, kind="stable")], slots)
