"""The ways to meet unequal class counts, by one name each, so that they can be compared."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import unknown_name_error
from kagglecxr.data.samplers.balanced import BalancedSampler
from kagglecxr.data.samplers.epoch_sampler import EpochSampler, Ids, Items, Targets, shuffled_passes
from kagglecxr.data.samplers.progressive import ProgressiveSampler, Rate, linear_rate

Sampling = Literal[
    "balanced", "natural", "progressive", "class_weights", "oversampled", "undersampled"
]


def make_sampler(
    sampling: Sampling,
    labels: Ids,
    pools: Sequence[Sequence[int]] | None,
    batch_size: int,
    seed: int,
    rate: Rate | None = None,
) -> EpochSampler:
    """The plan of an epoch by a sampling's name.

    Every batch of every plan is full, and a pure function of (seed, epoch, batch).

    - balanced: targets, and classes inside a pooled target, equally often in each batch.
    - natural: each image once an epoch, in random order.
    - progressive: from natural to balanced over the epochs, or as `rate` says.
    - class_weights: as natural; in the loss targets, and classes inside a target, weigh the same.
    - oversampled: images of rare classes are repeated at random, until targets, and classes inside
      a target, have the same number.
    - undersampled: images of frequent classes are left out at random, until they have; which ones
      changes with the epoch.

    Args:
        sampling: one of these.
        labels: (N,) class ids.
        pools: the class ids of each target, or None for one target a class.
        batch_size: items in every batch.
        seed: fixes all chance.
        rate: of the progressive sampling; `linear_rate(0.0, 1.0)` where None.

    Raises:
        UnknownNameError: another name.
        SettingError: imbalanced-learn is wanted and not installed, or a bad batch size or pool.
        DataError: labels that do not fit the pools, or a class without images.
    """
    targets = Targets(labels, pools)
    if sampling == "balanced":
        return BalancedSampler(targets, batch_size, seed)
    if sampling == "natural":
        return ShuffleSampler(targets, batch_size, seed)
    if sampling == "progressive":
        return ProgressiveSampler(targets, batch_size, seed, rate or linear_rate(0.0, 1.0))
    if sampling == "class_weights":
        return ShuffleSampler(targets, batch_size, seed, class_weights(targets))
    if sampling == "oversampled":
        return ResamplingSampler(targets, batch_size, seed, _sampler("over"), _raised(targets))
    if sampling == "undersampled":
        return ResamplingSampler(targets, batch_size, seed, _sampler("under"), _lowered(targets))
    raise unknown_name_error("sampling", sampling, list(get_args(Sampling)))


def class_weights(targets: Targets) -> npt.NDArray[np.float32]:
    """What each image weighs, (N,), so that targets, and classes inside a target, weigh the same.

    N over (targets x classes of the target x images of the class), 1 on average. Without pools
    these are scikit-learn's "balanced" class weights (King and Zeng 2001, "Logistic regression in
    rare events data").
    """
    weights = np.empty(len(targets.of_item), np.float32)
    for members in targets.members:
        for images in members:
            weights[images] = len(weights) / (len(targets) * len(members) * len(images))
    return weights


class ShuffleSampler(EpochSampler):
    """Each image once an epoch, in random order.

    Where the images do not fill the last batch, it is filled from the head of another shuffle.

    Args:
        targets: of the images.
        batch_size: items in every batch.
        seed: fixes all chance.
        weights: (N,) what each image weighs in the loss; None for all the same.
    """

    def __init__(
        self,
        targets: Targets,
        batch_size: int,
        seed: int,
        weights: npt.NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__(targets, batch_size, len(targets.of_item), seed)
        self.weights = weights

    def _make_order(self, epoch: int, random: np.random.Generator) -> Items:
        return shuffled_passes(np.arange(len(self.targets.of_item)), self.slots, random)


class ResamplingSampler(EpochSampler):
    """Images drawn anew each epoch by a sampler of imbalanced-learn, in random order.

    Where they do not fill the last batch, it is filled from the head of another shuffle.

    Args:
        targets: of the images.
        batch_size: items in every batch.
        seed: fixes all chance.
        sampler: RandomOverSampler or RandomUnderSampler.
        target_total: how many images each target is to have, shared out equally to its classes.
    """

    def __init__(
        self,
        targets: Targets,
        batch_size: int,
        seed: int,
        sampler: Callable[..., Any],
        target_total: int,
    ) -> None:
        super().__init__(targets, batch_size, target_total * len(targets), seed)
        self._sampler, self._target_total = sampler, target_total
        # imbalanced-learn's own count of classes would not know which of them share a target.
        self._class_of_item = np.empty(len(targets.of_item), np.intp)
        for pool, members in zip(targets.pools, targets.members, strict=True):
            for label, images in zip(pool, members, strict=True):
                self._class_of_item[images] = label

    def _make_order(self, epoch: int, random: np.random.Generator) -> Items:
        wanted = {}
        for pool in self.targets.pools:
            share, extra = divmod(self._target_total, len(pool))
            for place, label in enumerate(random.permutation(pool).tolist()):
                wanted[label] = share + (place < extra)
        sampler = self._sampler(sampling_strategy=wanted, random_state=int(random.integers(2**31)))
        rows = np.arange(len(self._class_of_item))
        if len(wanted) > 1:  # imbalanced-learn refuses a single class
            sampler.fit_resample(rows[:, None], self._class_of_item)
            rows = sampler.sample_indices_
        return shuffled_passes(rows, self.slots, random)


def _raised(targets: Targets) -> int:
    """The least images a target that let every class keep all of its own."""
    return max(len(counts) * max(counts) for counts in targets.class_counts)


def _lowered(targets: Targets) -> int:
    """The most images a target that no class must repeat any for."""
    return min(len(counts) * min(counts) for counts in targets.class_counts)


def _sampler(direction: Literal["over", "under"]) -> Callable[..., Any]:
    try:
        from imblearn import (  # type: ignore[import-untyped]
            over_sampling,
            under_sampling,
        )
    except ImportError as error:
        raise SettingError(
            f"Over- and under-sampling are imbalanced-learn's. Received: {direction}sampled, and "
            "no such package. Run pip install 'kagglecxr[sampling]'."
        ) from error
    samplers: dict[str, Callable[..., Any]] = {
        "over": over_sampling.RandomOverSampler,
        "under": under_sampling.RandomUnderSampler,
    }
    return samplers[direction]
