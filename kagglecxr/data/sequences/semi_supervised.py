"""Batches of labelled and pseudo-labelled images.

Labelled images are sampled as if the others were not there. Pseudo-labelled images, whose targets
are a model's probabilities, fill a fixed share of each batch in turn.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.seeding import derive_seed
from kagglecxr.data.images.image_array import ImageArray
from kagglecxr.data.samplers.epoch_sampler import EpochSampler, Items
from kagglecxr.data.sequences.mixup import OneHot
from kagglecxr.data.sequences.sequence import SampledSequence, TargetRows, Transform, take_images

UNLABELLED_SHARE = 0.25
"""Share of a batch that pseudo-labelled images fill."""


@dataclass(frozen=True)
class PseudoLabelledImages:
    """Rows (M,) of images without a label, and a model's probabilities (M, targets) for them.

    NaN is a finding of which the model is not sure: the loss leaves it out.
    """

    rows: npt.NDArray[np.intp]
    targets: TargetRows

    def __post_init__(self) -> None:
        if not len(self.rows) or len(self.rows) != len(self.targets):
            raise DataError(
                f"Images without a label need one row of targets each. Received: "
                f"{len(self.rows)} images and {len(self.targets)} rows. Predict each of them."
            )


def unlabelled_per_batch(batch_size: int) -> int:
    """Returns the number of pseudo-labelled images in a batch: at least 1, never all.

    >>> unlabelled_per_batch(32)
    8
    """
    if batch_size < 2:
        raise SettingError(
            f"A batch with images without a label holds at least two. Received: "
            f"batch_size={batch_size}. Use 32."
        )
    return min(max(round(UNLABELLED_SHARE * batch_size), 1), batch_size - 1)


class UnlabelledSampler:
    """Samples pseudo-labelled images as a pure function of the batch's position.

    They come in rounds of all images, each round in its own order, and a round continues in the
    next epoch: at any time the counts of any two images differ by at most 1.
    """

    def __init__(self, images: int, per_batch: int, seed: int) -> None:
        self._images, self._per_batch = images, per_batch
        self._seed = derive_seed(seed, "images without a label")

    def items(self, position: int) -> Items:
        """Returns the images of a batch by its position, counted from the start of epoch 0."""
        first = position * self._per_batch
        last = first + self._per_batch - 1
        rounds = range(first // self._images, last // self._images + 1)
        orders = np.concatenate([self._order(number) for number in rounds])
        return orders[first % self._images :][: self._per_batch]

    def _order(self, number: int) -> Items:
        order: Items = np.random.default_rng((self._seed, number)).permutation(self._images)
        return order


class SemiSupervisedSequence(SampledSequence):
    """Batches of labelled images followed by `per_batch` pseudo-labelled ones.

    Batch i of epoch e depends only on (seed, e, i). If the sampler weights its images, a
    pseudo-labelled image has weight 1. The other arguments are those of `SampledSequence`;
    `transform` is applied to each whole batch, so that both kinds are mixed.
    """

    def __init__(
        self,
        images: ImageArray,
        sampler: EpochSampler,
        unlabelled: PseudoLabelledImages,
        per_batch: int,
        *,
        targets: TargetRows | None = None,
        transform: Transform | None = None,
        rows: npt.NDArray[np.intp] | None = None,
        steps: int | None = None,
        **pydataset_kwargs: Any,
    ) -> None:
        super().__init__(
            images, sampler, targets=targets, transform=transform, rows=rows, steps=steps,
            **pydataset_kwargs,
        )  # fmt: skip
        labelled, others = (each[:1].shape[1:] for each in (self._targets, unlabelled.targets))
        if others != labelled:
            raise DataError(
                f"Images without a label have other targets than the labelled ones. Received: "
                f"targets of shape {(len(unlabelled.targets), *others)}, and {labelled[0]} "
                "targets of labelled images. Predict them with a model for these targets."
            )
        self._unlabelled = unlabelled
        self._unlabelled_sampler = UnlabelledSampler(len(unlabelled.rows), per_batch, sampler.seed)

    def _sample(
        self, position: int
    ) -> tuple[npt.NDArray[Any], OneHot, npt.NDArray[np.float32] | None]:
        images, targets, weights = super()._sample(position)
        items = self._unlabelled_sampler.items(position)
        if weights is not None:
            weights = np.concatenate([weights, np.ones(len(items), np.float32)])
        return (
            np.concatenate([images, take_images(self._images, self._unlabelled.rows[items])]),
            np.concatenate([targets, self._unlabelled.targets[items]]),
            weights,
        )
