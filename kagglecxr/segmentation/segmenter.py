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
    def folds(self) -> Sequence[int]:
        """The folds that predict an image that none has learned from: one for each view of it."""
        return self.member.folds[:2]

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
        batches = [
            (rows[start : start + BATCH], predicting)
            for predicting, rows in rows_of.items()
            for start in range(0, len(rows), BATCH)
        ]
        # A net leaves a core some time, in which the masks before are made and written.
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self._predict_rows, images, *each) for each in batches[:1]]
            for number, (rows, _) in enumerate(batches):
                maps = waiting.pop().result()
                following = batches[number + 1 : number + 2]
                waiting = [pool.submit(self._predict_rows, images, *each) for each in following]
                yield from make_masks(rows, maps, [sizes[row] for row in rows], self.standards)
                advance(len(rows))

    def _predict_rows(
        self, images: Pixels, rows: Sequence[int], folds: Sequence[int]
    ) -> PredictedMaps:
        return self.predict(take_images(images, np.array(rows)), folds)

    def predict(self, pixels: Pixels, folds: Sequence[int]) -> PredictedMaps:
        """Predicts a batch (batch, H, W, C) and its mirror images.

        Of several folds each sees the images or their mirror images, by turns: that costs as much
        as one view of them, and both views are there.
        """
        plain = {fold: self._function(fold)(pixels) for fold in folds[::2]}
        view = VIEWS[HFLIP]
        mirrored = view.array(pixels)
        flipped = [view.inverse(self._function(fold)(mirrored)[0]) for fold in folds[1::2] or folds]
        novelty = [
            self.novelties[fold].scores(features)
            for fold, (_, *features) in plain.items()
            if fold in self.novelties
        ]
        return PredictedMaps(
            np.mean([maps for maps, *_ in plain.values()], axis=0)[..., 0],
            np.mean(flipped, axis=0)[..., 0],
            np.mean(novelty, axis=0) if novelty else None,
        )

    def _function(self, fold: int) -> Callable[[Pixels], Outputs]:
        if fold not in self._functions:
            model = self.member.load_model(fold)
            if fold in self.novelties:
                model = add_pooled_features(model)
            compiled = compiled_function(model)
            self._functions[fold] = lambda pixels: keras.tree.flatten(compiled(pixels))
        return self._functions[fold]
