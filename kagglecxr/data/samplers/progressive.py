"""The sampler whose class frequencies move from natural to balanced over the epochs, or back.

"Progressively-balanced sampling" of Kang et al. 2020, "Decoupling representation and classifier for
long-tailed recognition" (arXiv:1910.09217), section 3: a class's share in epoch t is a weighted
mean of its natural and its balanced share, with a weight linear in t.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from kagglecxr.core.errors import SettingError
from kagglecxr.data.samplers.balanced import BalancedSampler
from kagglecxr.data.samplers.epoch_sampler import Items, Targets

Rate = Callable[[int], float]
"""Returns how balanced an epoch is: 1 for equal shares, 0 for natural ones."""


def linear_rate(first: float = 1.0, last: float = 0.0, epochs: int = 10) -> Rate:
    """Makes a rate that changes linearly from epoch 0 to epoch `epochs - 1` and then stays.

    `linear_rate(0.0, 1.0, epochs)` is Kang et al.'s progressively-balanced sampling.

    Raises:
        SettingError: a rate is outside 0 to 1, or there are no epochs.

    >>> [linear_rate(epochs=5)(epoch) for epoch in (0, 1, 4, 9)]
    [1.0, 0.75, 0.0, 0.0]
    """
    if epochs < 1:
        raise SettingError(f"A rate runs over epochs. Received: epochs={epochs}. Use at least 1.")
    for end in (first, last):
        _exact(end)

    def rate(epoch: int) -> float:
        share = min(epoch / (epochs - 1), 1.0) if epochs > 1 else 1.0
        return first if share == 0 else last if share == 1 else first + (last - first) * share

    return rate


class ProgressiveSampler(BalancedSampler):
    """Samples classes with shares between natural and balanced, by the epoch's rate.

    With rate r a target's share of the epoch is r times its balanced plus 1 - r times its natural
    share, and the same holds for each class of a target. Both are met to within one image; in every
    prefix of an epoch the targets are off by less than one image. An epoch of rate 1 has all
    properties of `BalancedSampler`.

    Every epoch has the same number of batches. It has enough slots for each class's images at its
    balanced share, hence at every rate; that may be one round more than `BalancedSampler` needs.
    """

    def __init__(self, targets: Targets, batch_size: int, seed: int, rate: Rate) -> None:
        super().__init__(targets, batch_size, seed, len(targets) * targets.largest_total)
        self._rate = rate

    def _ideals(self, rate: Fraction) -> list[list[Fraction]]:
        """Returns the slots of each class of each target before rounding."""
        counts = self.targets.class_counts
        images = sum(map(sum, counts))
        return [
            [
                self.slots * (rate / (len(counts) * len(own)) + (1 - rate) * Fraction(n, images))
                for n in own
            ]
            for own in counts
        ]

    def _target_turns(self, epoch: int, random: np.random.Generator) -> Items:
        rate = _exact(self._rate(epoch))
        if rate == 1:
            return super()._target_turns(epoch, random)
        ideals = [sum(own, Fraction()) for own in self._ideals(rate)]
        return _spread(_apportion(ideals, self.slots, random), random)

    def _class_turns(
        self, epoch: int, target: int, slots: int, random: np.random.Generator
    ) -> Items:
        rate = _exact(self._rate(epoch))
        if rate == 1:
            return super()._class_turns(epoch, target, slots, random)
        return _spread(_apportion(self._ideals(rate)[target], slots, random), random)


def _exact(rate: float) -> Fraction:
    """Returns the rate as a fraction, so that no image is lost to rounding."""
    if not 0 <= rate <= 1:
        raise SettingError(
            f"A rate must be between 0 (natural) and 1 (balanced). Received: {rate}. "
            "Use linear_rate(), or clip your own."
        )
    return Fraction(float(rate))


def _apportion(ideals: Sequence[Fraction], slots: int, random: np.random.Generator) -> list[int]:
    """Rounds the ideals to whole numbers that sum to `slots`, by largest remainder.

    Ties are broken at random.
    """
    shares = [math.floor(ideal) for ideal in ideals]
    by_remainder = sorted(
        random.permutation(len(ideals)).tolist(), key=lambda k: shares[k] - ideals[k]
    )
    for k in by_remainder[: slots - sum(shares)]:
        shares[k] += 1
    return shares


def _spread(shares: Sequence[int], random: np.random.Generator) -> Items:
    """Orders the members so that every prefix holds them in proportion to their shares.

    Turn j of a member with n of S slots comes no sooner than slot jS/n, rounded down, and no later
    than (j + 1)S/n, rounded up. Serving the earliest deadline first meets these windows, and every
    prefix is off by less than one: Tijdeman 1980, "The chairman assignment problem".
    """
    slots = sum(shares)
    tie_breaks = random.permutation(len(shares)).tolist()
    opening: list[list[int]] = [[] for _ in range(slots)]
    for member, share in enumerate(shares):
        for turn in range(share):
            opening[turn * slots // share].append(member)
    waiting: list[tuple[int, int, int]] = []
    served = [0] * len(shares)
    turns = np.empty(slots, np.intp)
    for slot, members in enumerate(opening):
        for member in members:
            deadline = -(-(served[member] + 1) * slots // shares[member])
            served[member] += 1
            heapq.heappush(waiting, (deadline, tie_breaks[member], member))
        turns[slot] = heapq.heappop(waiting)[2]
    return turns
