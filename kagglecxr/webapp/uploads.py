"""Files that visitors upload: what is taken, and what is refused before it is decoded."""

import io
from pathlib import PurePosixPath

from PIL import Image as Pillow

from kagglecxr.core.errors import DataError
from kagglecxr.data.images.decode import decode_image
from kagglecxr.data.images.image import BrokenImageError, Image, is_dicom

TYPES = ("png", "jpg", "jpeg", "dcm", "dicom")
MAX_MEGABYTES = 32
"""The largest file; a radiograph as its detector wrote it has 30."""
MAX_PIXELS = 2**26
"""The most pixels of an image: a small file may become a large one."""
MAX_FILES = 24

_DEFLATED_DICOM = b"1.2.840.10008.1.2.1.99"
"""The transfer syntax whose header cannot be read without inflating all of the file."""
_HEADER = 2048
"""Bytes in which a DICOM file names its transfer syntax."""


def decode_upload(name: str, data: bytes) -> Image:
    """Decodes an uploaded PNG, JPEG or DICOM file to (H, W) or (H, W, 3).

    Args:
        name: the visitor's, whose suffix has to be one of `TYPES`.
        data: the file, which has to be of one of these types, whatever its suffix says.

    Raises:
        DataError: it is too large, of another type, or cannot be decoded.
        MissingError: it is DICOM, and a package for that is not installed.
    """
    size = len(data) / 2**20
    if size > MAX_MEGABYTES:
        raise DataError(
            f"A file is too large. Received: {name} of {size:.0f} MB. Upload one of at most "
            f"{MAX_MEGABYTES} MB."
        )
    if PurePosixPath(name).suffix.lower().removeprefix(".") not in TYPES:
        raise _no_xray(name, "which has another suffix")
    try:
        pixels = _dicom_pixels(name, data) if is_dicom(data) else _picture_pixels(name, data)
        if pixels > MAX_PIXELS:
            raise _too_large(name, f"{pixels:,} pixels")
        return decode_image(data, name)
    except BrokenImageError as error:
        raise DataError(
            f"An image cannot be read: {error.reason}. Received: {name}. Upload another file."
        ) from error


def _picture_pixels(name: str, data: bytes) -> int:
    """The pixels of a PNG or JPEG file by its header."""
    try:
        with Pillow.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
            return picture.width * picture.height
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise _too_large(name, "far more pixels") from error
    except (OSError, ValueError, SyntaxError) as error:
        # Pillow calls a damaged PNG file a syntax error.
        what = "whose content is something else, or cut off" if data else "which is empty"
        raise _no_xray(name, what) from error


def _dicom_pixels(name: str, data: bytes) -> int:
    """The pixels of a DICOM file by its header."""
    if _DEFLATED_DICOM in data[:_HEADER]:
        raise _no_xray(name, "which is DICOM of the deflated transfer syntax")
    from kagglecxr.data.images.dicom import count_dicom_pixels

    return count_dicom_pixels(data, name)


def _too_large(name: str, size: str) -> DataError:
    return DataError(
        f"An image is too large. Received: {name} of {size}. Upload one of at most {MAX_PIXELS:,} "
        "pixels."
    )


def _no_xray(name: str, what: str) -> DataError:
    return DataError(
        f"The page takes PNG, JPEG and DICOM files. Received: {name}, {what}. Upload a file of one "
        "of these types."
    )
