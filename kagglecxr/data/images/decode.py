"""Decodes one image or mask file into 8-bit pixels."""

import struct
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import MissingError
from kagglecxr.data.images.image import DICOM_SUFFIXES, BrokenImageError, Image, is_dicom

_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
_JPEG_SIGNATURE = b"\xff\xd8"
_PNG_SIGNATURE, _PNG_END = b"\x89PNG", b"IEND\xaeB`\x82"
_PNG_COLOUR_TYPE, _GREY_WITH_ALPHA = 25, 4
_MAX_PIXELS = 2**30
"""The largest image that OpenCV decodes unless an environment variable says otherwise."""


def decode_image(data: bytes, name: str) -> Image:
    """Decodes an image file's bytes to (H, W) for grey or (H, W, 3) RGB; `name` is for errors.

    EXIF rotation is applied, and an alpha channel is dropped. Images of more than 8 bits are scaled
    to 8 by their format's range: 16 bits, or 12 if no pixel exceeds 4,095, as detectors write
    them. DICOM is decoded by `decode_dicom`.

    Raises:
        BrokenImageError: the file is empty, truncated or not an image.
        MissingError: it is DICOM, and pydicom is not installed.
    """
    if not data:
        raise BrokenImageError(name, "the file is empty")
    is_named_so = PurePosixPath(name).suffix.lower() in DICOM_SUFFIXES
    if is_dicom(data) or (is_named_so and not data.startswith((_PNG_SIGNATURE, _JPEG_SIGNATURE))):
        from kagglecxr.data.images.dicom import decode_dicom

        return decode_dicom(data, name)
    # OpenCV fills the missing part of a truncated file with grey without a warning.
    if not _is_complete(data):
        raise BrokenImageError(name, f"the file is cut off after {len(data)} bytes")
    try:
        pixels = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
        )
    except cv2.error as error:
        raise BrokenImageError(name, _reason(data, error)) from error
    if pixels is None:
        raise BrokenImageError(name, "it is no image that can be decoded")
    if data.startswith(_PNG_SIGNATURE) and data[_PNG_COLOUR_TYPE] == _GREY_WITH_ALPHA:
        # OpenCV decodes it into three equal channels.
        pixels = pixels[..., 0]
    if pixels.dtype not in (np.uint8, np.uint16):
        # OpenCV changes the order of colours of no other numbers.
        pixels = pixels.astype(np.float32)
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return _to_uint8(pixels)


def read_image(path: Path) -> Image:
    """Reads an image file; see `decode_image`."""
    return decode_image(path.read_bytes(), str(path))


def _is_complete(data: bytes) -> bool:
    if data.startswith(_JPEG_SIGNATURE):
        # In a scan 0xFF is always followed by 0x00, so this marker is only found at its end.
        scan = data.rfind(_START_OF_SCAN)
        return data.find(_END_OF_IMAGE, scan) >= 0 if scan >= 0 else False
    if data.startswith(_PNG_SIGNATURE):
        # Some programs append to a file that is complete.
        return _PNG_END in data
    return True


def _reason(data: bytes, error: cv2.error) -> str:
    if "MAX_IMAGE" not in error.err:
        return f"OpenCV says {error.err}"
    size = "it"
    if data.startswith(_PNG_SIGNATURE):
        width, height = struct.unpack(">II", data[16:24])
        size = f"its size of {width:,} x {height:,} pixels"
    return f"{size} is more than the largest allowed, {_MAX_PIXELS:,} pixels in all"


def _to_uint8(pixels: npt.NDArray[Any]) -> Image:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        brightest = int(pixels.max(initial=0))
        full_scale = 255 if brightest <= 255 else 4095 if brightest <= 4095 else 65535
        scaled: npt.NDArray[np.float64] = pixels * (255.0 / full_scale)
    else:
        low, high = float(pixels.min()), float(pixels.max())
        scaled = (pixels - low) * (255.0 / max(high - low, 1e-12))
    return np.rint(scaled).astype(np.uint8)


def read_mask(path: Path, shape: tuple[int, int]) -> Image:
    """Reads a mask in its image's shape (H, W): 255 inside, 0 outside.

    Pixels above half of the file's maximum, in the brightest channel, are inside, so 1 and 255 both
    mean inside; an all black file is an empty mask. The nearest pixel is taken in resizing: the
    Radiography Database has 256-pixel masks of 299-pixel images.

    Raises:
        MissingError: the file does not exist.
        BrokenImageError: it cannot be read.
    """
    if not path.is_file():
        raise MissingError(
            f"A mask is missing. Received: {path}. Add it, or remove it from the table that names "
            "it."
        )
    pixels = read_image(path)
    if pixels.ndim == 3:
        pixels = pixels.max(axis=2)
    # Twice a uint8 needs more than 8 bits.
    inside = 2 * pixels.astype(np.uint16) > pixels.max()
    mask = np.where(inside, np.uint8(255), np.uint8(0))
    if mask.shape == shape:
        return mask
    resized = cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(resized, np.uint8)
