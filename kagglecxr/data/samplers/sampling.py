"""The samplings a recipe can name: ways to handle unequal class counts.

To add one, write a sampler and register a function that makes it under the sampling's name.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import Registry
from kagglecxr.data.samplers.balanced import BalancedSampler
from kagglecxr.data.samplers.epoch_sampler import EpochSampler, Ids, Items, Targets, shuffled_passes
from kagglecxr.data.samplers.progressive import ProgressiveSampler, Rate, linear_rate

SAMPLINGS = Registry[Callable[[Targets, int, int, Rate], EpochSampler]]("sampling")
"""Functions of (targets, batch size, seed, rate) that make a sampler."""


def _check_name(name: str) -> str:
    SAMPLINGS[name]
    return name


Sampling = Annotated[str, AfterValidator(_check_name)]


def make_sampler(
    sampling: str,
    labels: Ids,
    pools: Sequence[Sequence[int]] | None,
    batch_size: int,
    seed: int,
    rate: Rate | None = None,
) -> EpochSampler:
    """Makes a sampler by the name of its sampling in `SAMPLINGS`.

    Every batch of every sampler is full, and depends only on (seed, epoch, batch). `rate` is used
    by the progressive sampling and defaults to `linear_rate(0.0, 1.0)`; labels and pools are those
    of `Targets`.

    Raises:
        UnknownNameError: there is no such sampling.
        SettingError: imbalanced-learn is needed and not installed, or a bad batch size or pool.
        DataError: labels that do not fit the pools, or a class without images.
    """
    make = SAMPLINGS[sampling]
    return make(Targets(labels, pools), batch_size, seed, rate or linear_rate(0.0, 1.0))


@SAMPLINGS.add
def balanced(targets: Targets, batch_size: int, seed: int, rate: Rate) -> EpochSampler:
    """Targets, and classes of a pooled target, equally often in each batch."""
    return BalancedSampler(targets, batch_size, seed)


@SAMPLINGS.add
def natural(targets: Targets, batch_size: int, seed: int, rate: Rate) -> EpochSampler:
    """Each image once per epoch in random order."""
    return ShuffleSampler(targets, batch_size, seed)


@SAMPLINGS.add
def progressive(targets: Targets, batch_size: int, seed: int, rate: Rate) -> EpochSampler:
    """From natural to balanced over the epochs, or as `rate` returns."""
    return ProgressiveSampler(targets, batch_size, seed, rate)


@SAMPLINGS.add_as("class_weights")
def with_class_weights(targets: Targets, batch_size: int, seed: int, rate: Rate) -> EpochSampler:
    """Like natural; targets, and classes of a target, have equal weights in the loss."""
    return ShuffleSampler(targets, batch_size, seed, class_weights(targets))


@SAMPLINGS.add
def oversampled(targets: Targets, batch_size: int, seed: int, rate: Rate) -> EpochSampler:
    """Rare classes' images are repeated at random until targets and their classes are equal."""
    return ResamplingSampler(targets, batch_size, seed, _resampler("over"), targets.largest_total)


@SAMPLINGS.add
def undersampled(targets: Targets, batch_size: int, seed: int, rate: Rate) -> EpochSampler:
    """Frequent classes' images are left out at random, others in each epoch, until equal."""
    total = min(len(counts) * min(counts) for counts in targets.class_counts)
    return ResamplingSampler(targets, batch_size, seed, _resampler("under"), total)


def class_weights(targets: Targets) -> npt.NDArray[np.float32]:
    """Computes (N,) weights with which targets, and classes of a target, are equal in the loss.

    It is N / (targets x classes of the target x images of the class), 1 on average. Without pools
    these are scikit-learn's "balanced" class weights (King and Zeng 2001, "Logistic regression in
    rare events data").
    """
    weights = np.empty(len(targets.of_item), np.float32)
    for members in targets.members:
        for images in members:
            weights[images] = len(weights) / (len(targets) * len(members) * len(images))
    return weights


class ShuffleSampler(EpochSampler):
    """Samples each image once per epoch in random order; another shuffle fills the last batch.

    Args as of `EpochSampler`; `weights` is (N,) float32, each image's weight in the loss.
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
    """Samples the images that a resampler of imbalanced-learn draws anew in each epoch.

    Another shuffle fills the last batch. Args as of `EpochSampler`, and:

    Args:
        resampler: RandomOverSampler or RandomUnderSampler.
        target_total: number of images of each target, divided equally among its classes.
    """

    def __init__(
        self,
        targets: Targets,
        batch_size: int,
        seed: int,
        resampler: Callable[..., Any],
        target_total: int,
    ) -> None:
        super().__init__(targets, batch_size, target_total * len(targets), seed)
        self._resampler, self._target_total = resampler, target_total
        # imbalanced-learn does not know which classes share a target, so each gets a total.
        self._class_of_item = np.empty(len(targets.of_item), np.intp)
        for pool, members in zip(targets.pools, targets.members, strict=True):
            for label, images in zip(pool, members, strict=True):
                self._class_of_item[images] = label

    def _make_order(self, epoch: int, random: np.random.Generator) -> Items:
        totals = {}
        for pool in self.targets.pools:
            share, extra = divmod(self._target_total, len(pool))
            for position, label in enumerate(random.permutation(pool).tolist()):
                totals[label] = share + (position < extra)
        seed = int(random.integers(2**31))
        resampler = self._resampler(sampling_strategy=totals, random_state=seed)
        rows = np.arange(len(self._class_of_item))
        if len(totals) > 1:  # imbalanced-learn refuses a single class
            resampler.fit_resample(rows[:, None], self._class_of_item)
            rows = resampler.sample_indices_
        return shuffled_passes(rows, self.slots, random)


def _resampler(direction: Literal["over", "under"]) -> Callable[..., Any]:
    try:
        from imblearn import over_sampling, under_sampling  # type: ignore[import-untyped]
    except ImportError as error:
        raise SettingError(
            f"Over- and undersampling need imbalanced-learn. Received: {direction}sampled, and the "
            "package is not installed. Run pip install 'kagglecxr[sampling]'."
        ) from error
    over: Callable[..., Any] = over_sampling.RandomOverSampler
    under: Callable[..., Any] = under_sampling.RandomUnderSampler
    return over if direction == "over" else under
