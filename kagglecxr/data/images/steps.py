"""The steps a preprocessing pipeline is made of: pure functions on an image, or on it and its mask.

A step of pixels leaves everything where it is; a step of geometry moves image and mask alike.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import cv2
import numpy as np
from pydantic import Field

from kagglecxr.core.errors import DataError
from kagglecxr.core.registry import Registry
from kagglecxr.data.images.image import Image

Size = Annotated[int, Field(ge=1, le=4096)]
Tiles = Annotated[int, Field(ge=1, le=64)]
Clip = Annotated[float, Field(gt=0, le=100)]
Exponent = Annotated[float, Field(gt=0, le=10)]
Margin = Annotated[float, Field(ge=0, le=1)]
Grey = Annotated[int, Field(ge=0, le=255)]


@dataclass(frozen=True)
class ImageAndMask:
    """What a pipeline works on.

    Attributes:
        image: (H, W) or (H, W, 3) uint8.
        mask: (H, W) uint8, above 0 in the lungs; None where no step wants it.
    """

    image: Image
    mask: Image | None = None


Step = Callable[..., ImageAndMask]

STEPS = Registry[Step]("preprocessing step")
NEED_MASK = frozenset({"mask", "lung_box"})
"""The steps that cannot do without a lung mask."""


def _of_pixels(change: Callable[..., Image]) -> Step:
    """Registers a change of the image alone, which leaves its mask where it is."""

    @functools.wraps(change)
    def step(scan: ImageAndMask, *arguments: Any) -> ImageAndMask:
        return replace(scan, image=change(scan.image, *arguments))

    return STEPS.add(step)


@_of_pixels
def gray(image: Image) -> Image:
    """One channel, by luma weights (ITU-R BT.601)."""
    return _grey(image)


@STEPS.add
def resize(scan: ImageAndMask, size: Size) -> ImageAndMask:
    """A square of `size` pixels: areas averaged when it shrinks, cubic when it grows."""
    height, width = scan.image.shape[:2]
    if height == width == size:
        return scan
    method = cv2.INTER_AREA if min(height, width) >= size else cv2.INTER_CUBIC
    with _opencv_s_own_code():
        image = _uint8(cv2.resize(scan.image, (size, size), interpolation=method))
    if scan.mask is None:
        return ImageAndMask(image)
    return ImageAndMask(
        image, _uint8(cv2.resize(scan.mask, (size, size), interpolation=cv2.INTER_NEAREST_EXACT))
    )


@_of_pixels
def equalise(image: Image) -> Image:
    """Histogram equalisation (cv2.equalizeHist) of a grey image."""
    return _uint8(cv2.equalizeHist(_grey(image)))


@_of_pixels
def clahe(image: Image, clip: Clip = 2.0, tiles: Tiles = 8) -> Image:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994) of a grey image."""
    return _uint8(cv2.createCLAHE(clip, (tiles, tiles)).apply(_grey(image)))


@_of_pixels
def gamma(image: Image, exponent: Exponent) -> Image:
    """Greys raised to a power of their share of white: above 1 darker, below 1 brighter."""
    greys = np.linspace(0.0, 1.0, 256) ** exponent
    return _uint8(cv2.LUT(image, np.rint(greys * 255.0).astype(np.uint8)))


@STEPS.add
def mask(scan: ImageAndMask) -> ImageAndMask:
    """Black outside the lungs."""
    lungs = _lungs(scan) > 0
    return replace(scan, image=scan.image * (lungs if scan.image.ndim == 2 else lungs[..., None]))


@STEPS.add
def lung_box(scan: ImageAndMask, margin: Margin = 0.05) -> ImageAndMask:
    """The lungs' bounding box, wider by `margin` of its sides; all where the mask is empty."""
    left, top, width, height = cv2.boundingRect(_lungs(scan))
    if not width:
        return scan
    aside, above = round(margin * width), round(margin * height)
    rows = slice(max(0, top - above), top + height + above)
    columns = slice(max(0, left - aside), left + width + aside)
    return _cut(scan, rows, columns)


@STEPS.add
def trim(scan: ImageAndMask, spread: Grey = 8) -> ImageAndMask:
    """Without border lines whose greys differ by at most `spread`: film edges and padding."""
    grey = _grey(scan.image)
    rows = np.flatnonzero(np.ptp(grey, axis=1) > spread)
    if not len(rows):
        return scan
    rows_left = slice(int(rows[0]), int(rows[-1]) + 1)
    # Columns are judged without the rows that go: a band above would give them all a spread.
    columns = np.flatnonzero(np.ptp(grey[rows_left], axis=0) > spread)
    if not len(columns):
        return scan
    return _cut(scan, rows_left, slice(int(columns[0]), int(columns[-1]) + 1))


@_of_pixels
def stack(image: Image, brightening: Grey = 40) -> Image:
    """Three channels as report 3's Xception took them: equalised, brightened, edges (Sobel)."""
    grey = _grey(image)
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    edges = cv2.convertScaleAbs(cv2.magnitude(across, down))
    brightened = cv2.convertScaleAbs(grey, alpha=1.0, beta=float(brightening))
    return _uint8(cv2.merge([cv2.equalizeHist(grey), brightened, edges]))


@contextlib.contextmanager
def _opencv_s_own_code() -> Iterator[None]:
    """Leaves out Intel's library, whose cubic differs from processor to processor."""
    used = cv2.ipp.useIPP()
    # The switch is this thread's own.
    cv2.ipp.setUseIPP(False)
    try:
        yield
    finally:
        cv2.ipp.setUseIPP(used)


def _grey(image: Image) -> Image:
    return image if image.ndim == 2 else _uint8(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def _lungs(scan: ImageAndMask) -> Image:
    if scan.mask is None or scan.mask.shape != scan.image.shape[:2]:
        shape = None if scan.mask is None else scan.mask.shape
        raise DataError(
            f"A preprocessing step needs a lung mask of the image's size. Received: a mask of "
            f"shape {shape} for an image of {scan.image.shape}. Give the image's mask, or leave "
            f"{' and '.join(sorted(NEED_MASK))} out of the pipeline."
        )
    return scan.mask


def _cut(scan: ImageAndMask, rows: slice, columns: slice) -> ImageAndMask:
    cut = None if scan.mask is None else np.ascontiguousarray(scan.mask[rows, columns])
    return ImageAndMask(np.ascontiguousarray(scan.image[rows, columns]), cut)


def _uint8(image: Any) -> Image:
    pixels: Image = image
    return pixels
