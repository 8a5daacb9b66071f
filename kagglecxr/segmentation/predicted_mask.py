"""From a net's probabilities to the mask of an image, of the size that it has in its file."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.segmentation.cleaning import clean_mask
from kagglecxr.segmentation.mask_standards import MaskStandards
from kagglecxr.segmentation.quality import Map, MaskQuality, measure_quality, suspicions

Pixels = npt.NDArray[np.uint8]
NO_CHEST = "no chest X-ray?"


@dataclass(frozen=True)
class PredictedMask:
    """A mask of an image of the size it has in its file, and what speaks for it.

    Attributes:
        row: the image's number.
        mask: (H, W), 255 in the lungs.
        quality: its measures.
        suspicions: in words, what is suspicious of it or of the image.
        unusual: whether the image is unlike those that the net learned from; None where it does
            not know.
    """

    row: int
    mask: Pixels
    quality: MaskQuality
    suspicions: list[str]
    unusual: bool | None


def make_mask(
    row: int,
    plain: Map,
    flipped: Map,
    novelty: float | None,
    size: tuple[int, int],
    standards: MaskStandards,
) -> PredictedMask:
    """Makes the mask of an image, the mean of two predictions, cleaned where cleaning helps.

    Args:
        row: the image's number.
        plain: (H, W), the probabilities predicted from the image.
        flipped: those predicted from its mirror image, turned back.
        novelty: how unusual the image is, more than 1 where it looks so; None where the net does
            not know.
        size: (height, width) of the image in its file.
        standards: of the net.
    """
    quality = measure_quality(plain, flipped)
    height, width = size
    mean = (plain + flipped) / 2
    mask = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR) >= 0.5
    if standards.cleaning.helps:
        mask = clean_mask(mask)
    found = suspicions(quality, standards.bounds)
    unusual = None if novelty is None else novelty > 1.0
    return PredictedMask(
        row,
        np.where(mask, np.uint8(255), np.uint8(0)),
        quality,
        [NO_CHEST, *found] if unusual else found,
        unusual,
    )
