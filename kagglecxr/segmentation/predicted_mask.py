"""From a net's probabilities to the masks of images, of the size that they have in their files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.segmentation.cleaning import clean_mask
from kagglecxr.segmentation.mask_standards import MaskStandards
from kagglecxr.segmentation.quality import MaskQuality, measure_quality, suspicions

Pixels = npt.NDArray[np.uint8]
Maps = npt.NDArray[np.float32]
"""(batch, H, W) probabilities."""
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


@dataclass(frozen=True)
class PredictedMaps:
    """What a net predicts for a batch of images.

    Attributes:
        plain: (batch, H, W) probabilities, from the images.
        flipped: from their mirror images, turned back.
        novelty: (batch,), how unlike the training images they are, more than 1 where they look
            unusual; None where the net does not know.
    """

    plain: Maps
    flipped: Maps
    novelty: npt.NDArray[np.floating] | None


def make_masks(
    rows: Sequence[int],
    maps: PredictedMaps,
    sizes: Sequence[tuple[int, int]],
    standards: MaskStandards,
) -> Iterator[PredictedMask]:
    """Yields the masks of a batch, the mean of both predictions, cleaned where cleaning helps.

    Args:
        rows: the images' numbers.
        maps: what is predicted for them.
        sizes: (height, width) of each image in its file.
        standards: of the net.
    """
    for number, (row, (height, width)) in enumerate(zip(rows, sizes, strict=True)):
        plain, flipped = maps.plain[number], maps.flipped[number]
        quality = measure_quality(plain, flipped)
        mean = (plain + flipped) / 2
        mask = cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR) >= 0.5
        if standards.cleaning.helps:
            mask = clean_mask(mask)
        unusual = None if maps.novelty is None else bool(maps.novelty[number] > 1.0)
        found = [NO_CHEST] if unusual else []
        found += suspicions(quality, standards.bounds)
        pixels = np.where(mask, np.uint8(255), np.uint8(0))
        yield PredictedMask(row, pixels, quality, found, unusual)
