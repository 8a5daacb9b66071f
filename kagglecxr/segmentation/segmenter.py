"""Predicts the lung masks of images with the folds of a segmentation run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import SettingError
from kagglecxr.core.run_record import segments
from kagglecxr.data.images.image_array import ImageArray
from kagglecxr.data.sequences.sequence import take_images
from kagglecxr.inference.members import Member, member_for_files
from kagglecxr.inference.novelty import Novelty, load_novelties
from kagglecxr.inference.tta import HFLIP, VIEWS
from kagglecxr.models.feature_maps import add_pooled_features
from kagglecxr.models.runtime import compiled_function
from kagglecxr.segmentation.mask_standards import MaskStandards
from kagglecxr.segmentation.predicted_mask import (
    Pixels,
    PredictedMaps,
    PredictedMask,
    make_masks,
)

Outputs = list[npt.NDArray[np.float32]]
"""Maps (batch, H, W, 1), and where it is known what is unusual, pooled features by depth."""

BATCH = 16


@dataclass
class Segmenter:
    """The folds of a run that learned lung masks, each built when it is first needed.

    Attributes:
        member: the run.
        standards: by what its masks are treated and judged.
        novelties: by fold, what tells which images are unusual; none of runs without.
    """

    member: Member
    standards: MaskStandards
    novelties: Mapping[int, Novelty]
    _functions: dict[int, Callable[[Pixels], Outputs]] = field(default_factory=dict)

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
        member = member_for_files(run)
        novelties = {fold: novelty for (_, fold), novelty in load_novelties([member]).items()}
        return cls(member, MaskStandards.of_run(run), novelties)

    @property
    def first_fold(self) -> int:
        """The fold that predicts an image that none has learned from.

        Out of fold, one net predicts both views of an image. Two nets agree less than one does with
        itself, so that by the bounds of out-of-fold masks theirs would look suspicious.
        """
        return self.member.folds[0]

    def segment(
        self,
        images: ImageArray,
        sizes: Sequence[tuple[int, int]],
        folds: Sequence[int | None],
        advance: Callable[[int], None],
    ) -> Iterator[PredictedMask]:
        """Yields the mask of each image, in any order.

        Args:
            images: (N, H, W) or (N, H, W, C) as the run's models take them.
            sizes: (height, width) of each image in its file.
            folds: the fold that predicts each image, which did not learn from it; None for an image
                that is left out.
            advance: called with the number of images that are done.
        """
        batches = []
        for fold in sorted({each for each in folds if each is not None}):
            rows = [row for row, each in enumerate(folds) if each == fold]
            batches += [(rows[n : n + BATCH], fold) for n in range(0, len(rows), BATCH)]
        # A net leaves a core some time, in which the masks before are made and written.
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self._predict_rows, images, *each) for each in batches[:1]]
            for number, (rows, _) in enumerate(batches):
                maps = waiting.pop().result()
                following = batches[number + 1 : number + 2]
                waiting = [pool.submit(self._predict_rows, images, *each) for each in following]
                yield from make_masks(rows, maps, [sizes[row] for row in rows], self.standards)
                advance(len(rows))

    def _predict_rows(self, images: ImageArray, rows: Sequence[int], fold: int) -> PredictedMaps:
        return self.predict(take_images(images, np.array(rows)), fold)

    def predict(self, pixels: Pixels, fold: int) -> PredictedMaps:
        """Predicts a batch (batch, H, W, C) and its mirror images by a fold."""
        function, view = self._function(fold), VIEWS[HFLIP]
        plain, *features = function(pixels)
        flipped = view.inverse(function(view.array(pixels))[0])
        novelty = self.novelties[fold].scores(features) if fold in self.novelties else None
        return PredictedMaps(plain[..., 0], flipped[..., 0], novelty)

    def _function(self, fold: int) -> Callable[[Pixels], Outputs]:
        if fold not in self._functions:
            model = self.member.load_model(fold)
            if fold in self.novelties:
                model = add_pooled_features(model)
            compiled = compiled_function(model)
            self._functions[fold] = lambda pixels: keras.tree.flatten(compiled(pixels))
        return self._functions[fold]
