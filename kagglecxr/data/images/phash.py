"""The perceptual hash and thumbnail of an image, by which duplicates are found."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.data.images.image import Image

THUMBNAIL = 32
"""Side length of a thumbnail in pixels."""


@dataclass(frozen=True)
class Fingerprint:
    """A 64-bit perceptual hash and a thumbnail (32, 32) uint8."""

    phash: int
    thumbnail: npt.NDArray[np.uint8]


def fingerprint(image: Image) -> Fingerprint:
    """Computes an image's thumbnail and pHash: the low DCT coefficients against their median."""
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:8, :8].ravel()
    # The first coefficient is the mean brightness, which says nothing about the content.
    bits = low > np.median(low[1:])
    return Fingerprint(int.from_bytes(np.packbits(bits).tobytes(), "big"), small.astype(np.uint8))
