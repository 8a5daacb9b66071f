"""Predicts the lung masks of images with the folds of a segmentation run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import SettingError
from kagglecxr.core.run_record import segments
from kagglecxr.data.sequences.sequence import take_images
from kagglecxr.inference.members import Member, member_for_files
from kagglecxr.inference.tta import HFLIP, VIEWS
from kagglecxr.models.runtime import compiled_function
from kagglecxr.segmentation.cleaning import clean_mask
from kagglecxr.segmentation.mask_standards import MaskStandards
from kagglecxr.segmentation.quality import MaskQuality, measure_quality

Pixels = npt.NDArray[np.uint8]
Maps = npt.NDArray[np.float32]
"""(batch, H, W) probabilities."""

BATCH = 16


@dataclass(frozen=True)
class PredictedMask:
    """A mask of an image of the size it has in its file, and what speaks for it.

    Attributes:
        mask: (H, W), 255 in the lungs.
    """

    row: int
    mask: Pixels
    quality: MaskQuality


@dataclass
class Segmenter:
    """The folds of a run that learned lung masks, each built when it is first needed.

    Attributes:
        member: the run.
        standards: by what its masks are treated and judged.
    """

    member: Member
    standards: MaskStandards
    _functions: dict[int, Callable[[Pixels], Maps]] = field(default_factory=dict)

    @classmethod
    def of_run(cls, run: Path) -> "Segmenter":
        """Makes the segmenter of a finished run.

        Raises:
            SettingError: the run classifies.
            DataError: its record or its out-of-fold masks are damaged.
            MissingError: weights of a fold are not there.
        """
        if not segments(run):
            raise SettingError(
                f"This run classifies and has no masks. Received: {run}. Name a run of `segment`."
            )
        return cls(member_for_files(run), MaskStandards.of_run(run))

    def segment(
        self,
        images: Pixels,
        sizes: Sequence[tuple[int, int]],
        folds: Sequence[Sequence[int]],
        advance: Callable[[int], None],
    ) -> Iterator[PredictedMask]:
        """Yields the mask of each image, in any order.

        Args:
            images: (N, H, W) or (N, H, W, C) as the run's models take them.
            sizes: (height, width) of each image in its file.
            folds: the folds that predict each image, which did not learn from it; an image without
                any is left out.
            advance: called with the number of images that are done.
        """
        rows_of: dict[tuple[int, ...], list[int]] = {}
        for row, predicting in enumerate(folds):
            if not predicting:
                continue
            rows_of.setdefault(tuple(predicting), []).append(row)
        for predicting, rows in rows_of.items():
            for start in range(0, len(rows), BATCH):
                batch = rows[start : start + BATCH]
                pixels = take_images(images, np.array(batch))
                plain, flipped = self.predict(pixels, predicting)
                for row, one, other in zip(batch, plain, flipped, strict=True):
                    yield PredictedMask(
                        row, self._whole_mask(one, other, sizes[row]), measure_quality(one, other)
                    )
                advance(len(batch))

    def predict(self, pixels: Pixels, folds: Sequence[int]) -> tuple[Maps, Maps]:
        """Returns the probabilities of a batch (batch, H, W, C), and those of its mirror images.

        Of several folds each sees the images or their mirror images, by turns: that costs as much
        as one view of them, and both views are there.
        """
        plain = [self._function(fold)(pixels)[..., 0] for fold in folds[::2]]
        view = VIEWS[HFLIP]
        mirrored = view.array(pixels)
        flipped = [
            view.inverse(self._function(fold)(mirrored))[..., 0] for fold in folds[1::2] or folds
        ]
        return np.mean(plain, axis=0), np.mean(flipped, axis=0)

    def _whole_mask(self, plain: Maps, flipped: Maps, size: tuple[int, int]) -> Pixels:
        mean = (plain + flipped) / 2
        height, width = size
        mask = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR) >= 0.5
        if self.standards.cleaning.helps:
            mask = clean_mask(mask)
        return np.where(mask, np.uint8(255), np.uint8(0))

    def _function(self, fold: int) -> Callable[[Pixels], Maps]:
        if fold not in self._functions:
            self._functions[fold] = compiled_function(self.member.load_model(fold))
        return self._functions[fold]
