"""The type of a decoded image, the names of image files, and the error for a broken one."""

from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError

Image = npt.NDArray[np.uint8]
"""Pixels (H, W) for grey, (H, W, 3) RGB for colour."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm", ".dicom"})


class BrokenImageError(DataError):
    """An image file that is empty, cut off or not an image."""


def name_without_suffix(path: str) -> str:
    """An image's file name, or what a table calls it, without the suffix of an image file.

    What follows a dot is no suffix otherwise: DICOM's ids are numbers with dots between them.

    >>> name_without_suffix("train/a.JPG"), name_without_suffix("1.2.840.7")
    ('a', '1.2.840.7')
    """
    name = PurePosixPath(path)
    return name.stem if name.suffix.lower() in SUFFIXES else name.name


def broken_image(name: str, reason: str) -> BrokenImageError:
    """The refusal of a file, as one sentence."""
    return BrokenImageError(
        f"An image cannot be read: {reason}. Received: {name}. Replace it, or leave such files "
        "out with --skip-broken."
    )
