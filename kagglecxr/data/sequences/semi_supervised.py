"""Batches of which a fixed share are images without a label, with a model's answers as targets.

Labelled images stand in the places that a plan of their own gives them, as balanced as without the
others; images without a label take turns, whatever a model sees in them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.seeding import derive_seed
from kagglecxr.data.samplers.epoch_sampler import EpochSampler, Items
from kagglecxr.data.sequences.sequence import (
    OneHot,
    Pixels,
    SampledSequence,
    Transform,
    take_images,
)

UNLABELLED_SHARE = 0.25
"""How much of a batch is left to images without a label: a model's answers are never the main."""


@dataclass(frozen=True)
class PseudoLabelledImages:
    """Images without a label and what a model sees in them.

    Attributes:
        rows: (M,) of the images.
        targets: (M, targets) float32, each row summing to 1.

    Raises:
        DataError: no images, or not one row of targets each.
    """

    rows: npt.NDArray[np.intp]
    targets: OneHot

    def __post_init__(self) -> None:
        if not len(self.rows) or len(self.rows) != len(self.targets):
            raise DataError(
                f"Images without a label need one row of targets each. Received: "
                f"{len(self.rows)} images and {len(self.targets)} rows. Predict each of them."
            )


def unlabelled_per_batch(batch_size: int, share: float = UNLABELLED_SHARE) -> int:
    """The places of a batch that are left to images without a label: at least 1, never all.

    Raises:
        SettingError: a batch of a single place.

    >>> soft_places(32)
    8
    """
    if batch_size < 2:
        raise SettingError(
            f"A batch that is shared with images without a label holds at least two. Received: "
            f"batch_size={batch_size}. Use 32."
        )
    return min(max(round(share * batch_size), 1), batch_size - 1)


class UnlabelledSampler:
    """Which images take the places left to them in a batch, a pure function of the batch's place.

    They take turns in rounds of all of them, each round in an order of its own, and a round goes
    on from one epoch to the next: at any moment the counts of any two images differ by at most 1,
    however few places an epoch has.

    Args:
        images: how many.
        places: of each batch.
        seed: fixes all chance.
    """

    def __init__(self, images: int, places: int, seed: int) -> None:
        self._images, self._places = images, places
        self._seed = derive_seed(seed, "images without a label")

    def items(self, batch: int) -> Items:
        """The numbers of the images in one batch, counted from the first of the first epoch on."""
        first, last = batch * self._places, (batch + 1) * self._places - 1
        rounds = range(first // self._images, last // self._images + 1)
        orders = np.concatenate([self._order(number) for number in rounds])
        return orders[first % self._images :][: self._places]

    def _order(self, number: int) -> Items:
        order: Items = np.random.default_rng((self._seed, number)).permutation(self._images)
        return order


class SemiSupervisedSequence(SampledSequence):
    """Batches that labelled images share with images without a label.

    The first places of a batch are those of a plan, the rest those of `UnlabelledSampler`; batch i
    of epoch e depends only on (seed, e, i). Where the plan weighs its images, one without a label
    weighs 1.

    Args:
        images: (N, H, W) or (N, H, W, C) uint8, an array or a memory map.
        plan: which labelled image stands where; its batches lack the places of the others.
        soft: the images without a label, as rows of `images`.
        places: of each batch for these, besides the plan's.
        targets: (N, ...) float32, what is learned of each labelled image; as in `SampledSequence`.
        transform: applied to each whole batch, so that both kinds are mixed alike.
        rows: the rows of `images` that the plan numbers; all where None.
        steps: batches in an epoch; as many as the plan has where None.
        **pydataset_kwargs: workers, use_multiprocessing, max_queue_size.

    Raises:
        DataError: a plan for another number of images, or other targets.
    """

    def __init__(
        self,
        images: Pixels,
        plan: EpochSampler,
        soft: PseudoLabelledImages,
        places: int,
        *,
        targets: OneHot | None = None,
        transform: Transform | None = None,
        rows: npt.NDArray[np.intp] | None = None,
        steps: int | None = None,
        **pydataset_kwargs: Any,
    ) -> None:
        super().__init__(
            images, plan, targets=targets, transform=transform, rows=rows, steps=steps,
            **pydataset_kwargs,
        )  # fmt: skip
        if soft.targets.shape[1:] != self._targets.shape[1:]:
            count = self._targets.shape[1]
            raise DataError(
                f"Images without a label have other targets than the labelled. Received: targets "
                f"of shape {soft.targets.shape} beside {count}. Predict them with a "
                "model for these targets."
            )
        self._soft = soft
        self._turns = UnlabelledSampler(len(soft.rows), places, plan.seed)

    def _chosen(
        self, place: int
    ) -> tuple[npt.NDArray[Any], OneHot, npt.NDArray[np.float32] | None]:
        images, targets, weights = super()._chosen(place)
        items = self._turns.items(place)
        if weights is not None:
            weights = np.concatenate([weights, np.ones(len(items), np.float32)])
        return (
            np.concatenate([images, take_images(self._images, self._soft.rows[items])]),
            np.concatenate([targets, self._soft.targets[items]]),
            weights,
        )
