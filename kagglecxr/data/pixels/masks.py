"""Reads one mask file as black and white pixels of its image's size."""

from pathlib import Path

import cv2
import numpy as np

from kagglecxr.core.errors import MissingError
from kagglecxr.data.pixels.images import Image, read_image


def read_mask(path: Path, shape: tuple[int, int]) -> Image:
    """A mask as 0 and 255, (H, W), in its image's size.

    White is what exceeds half of the file's brightest value, so files that say it with 1 and files
    that say it with 255 read alike; one that is all black is an empty mask. Sizes are matched to
    the nearest pixel: the Radiography Database has 256-pixel masks of 299-pixel images.

    Args:
        path: grey, RGB, palette or 1-bit; of the colours the brightest channel counts.
        shape: (H, W) of the image.

    Raises:
        MissingError: no such file.
        BrokenImageError: it cannot be read.
    """
    if not path.is_file():
        raise MissingError(
            f"A mask is not there. Looked for: {path}. Bring it, or take it out of the table that "
            "names it."
        )
    pixels = read_image(path)
    if pixels.ndim == 3:
        pixels = pixels.max(axis=2)
    # Twice a uint8 needs more than 8 bits.
    inside = 2 * pixels.astype(np.uint16) > pixels.max()
    mask = np.where(inside, np.uint8(255), np.uint8(0))
    height, width = shape
    if mask.shape == (height, width):
        return mask
    resized = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(resized, np.uint8)
