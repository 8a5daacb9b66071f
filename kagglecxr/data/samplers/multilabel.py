"""The sampler of balanced batches of images that have several findings each.

Slots go round-robin over the findings and, where there are such images, over "no finding"; the slot
of a finding is filled by an image that has it. Any window of a round-robin holds its members
equally often to within one, so every batch and every epoch is balanced in its slots. What an image
has besides comes on top. An image that may have a finding or none, since that is not known, fills
none of these slots: it is shown once an epoch, besides.
"""

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.data.samplers.balanced import round_robin, slots_needed
from kagglecxr.data.samplers.epoch_sampler import EpochSampler, Items, Targets, shuffled_passes


class Findings(Targets):
    """The findings of a data set, and the images of each.

    Args:
        labels: (N, K), 1 where an image has a finding, 0 where not, NaN where that is not known; an
            image may have none.

    Attributes:
        positives: the images of each finding that has any, then those known to have none if any.
            Where no image is known to have none, those that may have none take their place.
        owed: likewise, those of them that have no rarer finding.
        unclear: images that may have none; each image stands here or in one of `owed`.

    Raises:
        DataError: labels are no table of 0, 1 and NaN, or there is no image.
    """

    def __init__(self, labels: npt.NDArray[np.number[Any]]) -> None:
        if labels.ndim != 2 or not labels.size or not _is_zero_one_or_nan(labels):
            values = sorted(set(labels.astype(np.float64).ravel().tolist()))[:5]
            raise DataError(
                "Findings are a table of 0 and 1, a line an image and a column a finding. "
                f"Received: an array of shape {labels.shape} with {values}. Write NaN for a label "
                "that is to be ignored."
            )
        self._items, self._findings = len(labels), int(labels.shape[1])
        present, none = labels == 1, (labels == 0).all(axis=1)
        may_be_none = ~present.any(axis=1)
        none = none if none.any() else may_be_none
        columns = np.column_stack([present, none])
        columns = columns[:, columns.any(axis=0)]
        rarity = np.where(columns, columns.sum(axis=0), self._items + 1)
        self._rarest = np.asarray(rarity.argmin(axis=1), np.intp)
        self.unclear = np.flatnonzero(may_be_none & ~none)
        self._rarest[self.unclear] = columns.shape[1] - 1
        members = range(columns.shape[1])
        self.positives = [np.flatnonzero(columns[:, k]) for k in members]
        self.owed = [np.flatnonzero((self._rarest == k) & columns[:, k]) for k in members]
        self.pools = [[k] for k in members]
        self.members = [[images] for images in self.positives]

    @cached_property
    def of_item(self) -> Items:
        """(N,) int, the position of each image's rarest finding in `positives`, or that of none."""
        return self._rarest

    def __len__(self) -> int:
        """The number of findings, those without an image included."""
        return self._findings


def _is_zero_one_or_nan(labels: npt.NDArray[np.number[Any]]) -> bool:
    return bool((np.isin(labels, (0, 1)) | np.isnan(labels)).all())


class MultiLabelSampler(EpochSampler):
    """Samples every finding, and no finding, equally often in each batch and epoch.

    With M members (findings that have images, and "no finding" where there are such images) and U
    images of which it is not clear whether they have any, a batch of B images in an epoch of E has
    floor(U / E) or u = ceil(U / E) unclear ones, and floor or ceil of (the others / M) slots of
    each member: at least floor((B - u) / M) images with each finding. The slots of a member differ
    by at most one between any two batches. Images with several findings add to the others.

    An epoch is the shortest one of full batches in which each member has as many slots as images of
    which it is the rarest finding, and each unclear image has one, so every image is shown at least
    once. The slots of a member go through its images pass after pass; where there are more of them
    than slots, through those of which it is the rarest finding and some others, drawn anew for each
    epoch.
    """

    def __init__(self, findings: Findings, batch_size: int, seed: int) -> None:
        self._needs = [max(1, len(images)) for images in findings.owed]
        slots = slots_needed(self._needs) + len(findings.unclear)
        super().__init__(findings, batch_size, slots, seed)
        self._findings = findings

    def _make_order(self, epoch: int, random: np.random.Generator) -> Items:
        order, unclear = np.empty(self.slots, np.intp), self._findings.unclear
        others = np.flatnonzero(~self._unclear_slots())
        turns = round_robin(self._needs, len(others), random)
        for member, images in enumerate(self._findings.positives):
            own = others[turns == member]
            shown = images if len(own) >= len(images) else self._some(member, len(own), random)
            order[own] = shuffled_passes(shown, len(own), random)
        order[self._unclear_slots()] = random.permutation(unclear)
        return order

    def _unclear_slots(self) -> npt.NDArray[np.bool_]:
        """Returns (slots,) which of them are of unclear images: the first ones of each batch."""
        edges = len(self._findings.unclear) * np.arange(self.batches + 1) // self.batches
        counts = np.diff(edges)
        return (np.arange(self.batch_size) < counts[:, None]).ravel()

    def _some(self, member: int, number: int, random: np.random.Generator) -> Items:
        """Returns those images of a member that are owed a slot of it, and as many others."""
        owed, images = self._findings.owed[member], self._findings.positives[member]
        others = random.permutation(np.setdiff1d(images, owed))[: number - len(owed)]
        return np.concatenate([owed, others])
