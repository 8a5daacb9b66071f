"""The sampler of balanced batches of images that have several findings each.

Slots go round-robin over the findings and, where there are such images, over "no finding"; the slot
of a finding is filled by an image that has it. Any window of a round-robin holds its members
equally often to within one, so every batch and every epoch is balanced in its slots. What an image
has besides comes on top.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.data.samplers.balanced import round_robin, slots_needed
from kagglecxr.data.samplers.epoch_sampler import EpochSampler, Items, Targets, shuffled_passes


class Findings(Targets):
    """The findings of a data set, and the images of each.

    Args:
        labels: (N, K), 1 where an image has a finding, else 0; an image may have none.

    Attributes:
        positives: the images of each finding that has any, then those without a finding if any.
        owed: likewise, those of them that have no rarer finding: each image stands in one of them.

    Raises:
        DataError: labels are no table of 0 and 1, or there is no image.
    """

    def __init__(self, labels: npt.NDArray[np.integer]) -> None:
        if labels.ndim != 2 or not np.isin(labels, (0, 1)).all() or not labels.size:
            values = sorted(set(labels.ravel().tolist()))[:5]
            raise DataError(
                "Findings are a table of 0 and 1, a line an image and a column a finding. "
                f"Received: an array of shape {labels.shape} with {values}. Write 0 for a label "
                "that is ignored, and mask it in the loss."
            )
        self._items, self._findings = len(labels), int(labels.shape[1])
        columns = np.column_stack([labels, labels.sum(axis=1) == 0]).astype(bool)
        columns = columns[:, columns.any(axis=0)]
        rarity = np.where(columns, columns.sum(axis=0), self._items + 1)
        self._rarest = np.asarray(rarity.argmin(axis=1), np.intp)
        members = range(columns.shape[1])
        self.positives = [np.flatnonzero(columns[:, k]) for k in members]
        self.owed = [np.flatnonzero(self._rarest == k) for k in members]
        self.pools = [[k] for k in members]
        self.members = [[images] for images in self.positives]

    @cached_property
    def of_item(self) -> Items:
        """(N,) int, the position of each image's rarest finding in `positives`."""
        return self._rarest

    def __len__(self) -> int:
        """The number of findings, those without an image included."""
        return self._findings


class MultiLabelSampler(EpochSampler):
    """Samples every finding, and no finding, equally often in each batch and epoch.

    With M members (findings that have images, and "no finding" where there are such images), a
    batch of B images has floor(B / M) or ceil(B / M) slots of each member, so at least floor(B / M)
    images with each finding, at least one where B >= M; the slots of a member differ by at most one
    between any two batches. Images with several findings add to the others.

    An epoch is the shortest one of full batches in which each member has as many slots as images of
    which it is the rarest finding, so every image is shown at least once. The slots of a member go
    through its images pass after pass; where there are more of them than slots, through those of
    which it is the rarest finding and some others, drawn anew for each epoch.
    """

    def __init__(self, findings: Findings, batch_size: int, seed: int) -> None:
        self._needs = [max(1, len(images)) for images in findings.owed]
        super().__init__(findings, batch_size, slots_needed(self._needs), seed)
        self._findings = findings

    def _make_order(self, epoch: int, random: np.random.Generator) -> Items:
        order = np.empty(self.slots, np.intp)
        turns = round_robin(self._needs, self.slots, random)
        for member, images in enumerate(self._findings.positives):
            own = np.flatnonzero(turns == member)
            shown = images if len(own) >= len(images) else self._some(member, len(own), random)
            order[own] = shuffled_passes(shown, len(own), random)
        return order

    def _some(self, member: int, number: int, random: np.random.Generator) -> Items:
        """Returns those images of a member that are owed a slot of it, and as many others."""
        owed, images = self._findings.owed[member], self._findings.positives[member]
        others = random.permutation(np.setdiff1d(images, owed))[: number - len(owed)]
        return np.concatenate([owed, others])
