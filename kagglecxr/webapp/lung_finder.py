"""The lungs of one image that no competition knows, by a net of lung masks."""

from dataclasses import dataclass

import numpy as np

from kagglecxr.core.errors import DataError
from kagglecxr.data.images.image import Image
from kagglecxr.segmentation.predicted_mask import PredictedMask
from kagglecxr.segmentation.segmenter import Segmenter


@dataclass(frozen=True)
class LungFinder:
    """Predicts the mask of an image with the first fold of a run."""

    segmenter: Segmenter

    def find(self, image: Image) -> PredictedMask:
        """Returns the mask of an image (H, W) or (H, W, 3), of its size, and what speaks for it.

        Raises:
            DataError: the net takes images of one size alone, and this has another.
        """
        member = self.segmenter.member
        pixels = member.pipeline(image)
        if pixels.shape[:2] != member.record.input_shape[:2]:
            raise DataError(
                f"The net of lung masks takes images of one size. Received: {pixels.shape[:2]} and "
                f"not {member.record.input_shape[:2]}. Train one with resize in --pipeline."
            )
        (mask,) = self.segmenter.segment(
            np.asarray(pixels)[None],
            [(image.shape[0], image.shape[1])],
            [self.segmenter.first_fold],
            lambda _: None,
        )
        return mask
