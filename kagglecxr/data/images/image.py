"""The type of a decoded image, the names of image files, and perceptual hashes."""

from dataclasses import dataclass
from pathlib import PurePosixPath

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError

Image = npt.NDArray[np.uint8]
"""Pixels: (H, W) for grey, (H, W, 3) RGB for colour."""

DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
SUFFIXES = DICOM_SUFFIXES | {
    ".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".gif",
}  # fmt: skip


class BrokenImageError(DataError):
    """An image file that is empty, truncated or not an image, and why it cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(
            f"An image cannot be read: {reason}. Received: {name}. Replace it; prepare leaves such "
            "files out with --skip-broken."
        )


def name_without_suffix(path: str) -> str:
    """Returns an image's file name, or its name in a table, without an image file's suffix.

    Other text after a dot is kept: DICOM ids are numbers with dots between them.

    >>> name_without_suffix("train/a.JPG"), name_without_suffix("1.2.840.7")
    ('a', '1.2.840.7')
    """
    name = PurePosixPath(path)
    return name.stem if name.suffix.lower() in SUFFIXES else name.name


def is_dicom(data: bytes) -> bool:
    """Whether a file's first 132 bytes are those of DICOM, with its preamble or without."""
    return data[128:132] == b"DICM" or data[:6] == b"\x02\x00\x00\x00UL"


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
