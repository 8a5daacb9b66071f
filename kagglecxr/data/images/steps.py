"""The steps of a preprocessing pipeline: pure functions of an image, or of it and its lung mask.

A step that changes grey values takes the image alone; one that moves pixels takes both.
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
Spread = Annotated[float, Field(gt=0, le=255)]


@dataclass(frozen=True)
class ImageAndMask:
    """An image (H, W) or (H, W, 3) uint8 and its lung mask (H, W) uint8, above 0 in the lungs."""

    image: Image
    mask: Image | None = None


Step = Callable[..., ImageAndMask]

STEPS = Registry[Step]("preprocessing step")
NEED_MASK = frozenset({"mask", "lung_box", "lungs", "lung_channel", "lung_zscore"})
"""The steps that need a lung mask."""


def _image_step(function: Callable[..., Image]) -> Step:
    """Registers a function of the image alone as a step; the mask stays the same."""

    @functools.wraps(function)
    def step(both: ImageAndMask, *arguments: Any) -> ImageAndMask:
        return replace(both, image=function(both.image, *arguments))

    return STEPS.add(step)


@_image_step
def gray(image: Image) -> Image:
    """Converts to one channel by luma weights (ITU-R BT.601)."""
    return _grey(image)


@_image_step
def rgb(image: Image) -> Image:
    """Converts to three channels: those of a grey image are equal."""
    return image if image.ndim == 3 else _uint8(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB))


@STEPS.add
def resize(both: ImageAndMask, size: Size) -> ImageAndMask:
    """Resizes to a square of `size` pixels: area averages to shrink, cubic to enlarge."""
    height, width = both.image.shape[:2]
    if height == width == size:
        return both
    method = cv2.INTER_AREA if min(height, width) >= size else cv2.INTER_CUBIC
    with _without_ipp():
        image = _uint8(cv2.resize(both.image, (size, size), interpolation=method))
    if both.mask is None:
        return ImageAndMask(image)
    return ImageAndMask(
        image, _uint8(cv2.resize(both.mask, (size, size), interpolation=cv2.INTER_NEAREST_EXACT))
    )


@_image_step
def equalise(image: Image) -> Image:
    """Equalises the histogram of the grey image (cv2.equalizeHist)."""
    return _uint8(cv2.equalizeHist(_grey(image)))


@_image_step
def clahe(image: Image, clip: Clip = 2.0, tiles: Tiles = 8) -> Image:
    """Equalises the grey image's histogram in tiles, contrast-limited (Zuiderveld 1994)."""
    return _uint8(cv2.createCLAHE(clip, (tiles, tiles)).apply(_grey(image)))


@_image_step
def gamma(image: Image, exponent: Exponent) -> Image:
    """Raises grey values, as shares of white, to a power: above 1 darkens, below 1 brightens."""
    greys = np.linspace(0.0, 1.0, 256) ** exponent
    return _uint8(cv2.LUT(image, np.rint(greys * 255.0).astype(np.uint8)))


@STEPS.add
def mask(both: ImageAndMask) -> ImageAndMask:
    """Blackens everything outside the lungs."""
    inside = _lungs(both) > 0
    return replace(both, image=both.image * (inside if both.image.ndim == 2 else inside[..., None]))


@STEPS.add
def lungs(both: ImageAndMask) -> ImageAndMask:
    """Replaces the image by its lung mask: 255 in the lungs, 0 elsewhere."""
    return replace(both, image=np.where(_lungs(both) > 0, np.uint8(255), np.uint8(0)))


@STEPS.add
def lung_channel(both: ImageAndMask) -> ImageAndMask:
    """Makes three channels: the grey image twice, and its lung mask, 255 in the lungs."""
    grey = _grey(both.image)
    inside = np.where(_lungs(both) > 0, np.uint8(255), np.uint8(0))
    return replace(both, image=_uint8(cv2.merge([grey, grey, inside])))


@STEPS.add
def lung_zscore(both: ImageAndMask, spread: Spread = 48.0) -> ImageAndMask:
    """Scales grey values so that those in the lungs have mean 128 and this standard deviation.

    An image without lungs, or with lungs of one value, is scaled by all of its pixels.
    """
    grey = _grey(both.image)
    inside = grey[_lungs(both) > 0]
    if not inside.size or inside.std() == 0.0:
        inside = grey
    scale = spread / max(float(inside.std()), 1.0)
    scaled = 128.0 + scale * (grey.astype(np.float64) - float(inside.mean()))
    return replace(both, image=np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


@STEPS.add
def lung_box(both: ImageAndMask, margin: Margin = 0.05) -> ImageAndMask:
    """Crops to the lungs' bounding box plus `margin` of its sides; not if the mask is empty."""
    left, top, width, height = cv2.boundingRect(_lungs(both))
    if not width:
        return both
    dx, dy = round(margin * width), round(margin * height)
    rows = slice(max(0, top - dy), top + height + dy)
    return _crop(both, rows, slice(max(0, left - dx), left + width + dx))


@STEPS.add
def trim(both: ImageAndMask, spread: Grey = 8) -> ImageAndMask:
    """Crops border lines whose grey values differ by at most `spread`: film edges, padding."""
    grey = _grey(both.image)
    rows = np.flatnonzero(np.ptp(grey, axis=1) > spread)
    if not len(rows):
        return both
    kept = slice(int(rows[0]), int(rows[-1]) + 1)
    # Only the remaining rows count: a band above would give every column a spread.
    columns = np.flatnonzero(np.ptp(grey[kept], axis=0) > spread)
    if not len(columns):
        return both
    return _crop(both, kept, slice(int(columns[0]), int(columns[-1]) + 1))


@_image_step
def stack(image: Image, brightening: Grey = 40) -> Image:
    """Makes the three channels of report 3's Xception: equalised, brightened, edges (Sobel)."""
    grey = _grey(image)
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    edges = cv2.convertScaleAbs(cv2.magnitude(across, down))
    brightened = cv2.convertScaleAbs(grey, alpha=1.0, beta=float(brightening))
    return _uint8(cv2.merge([cv2.equalizeHist(grey), brightened, edges]))


@contextlib.contextmanager
def _without_ipp() -> Iterator[None]:
    """Turns off Intel's library, whose cubic interpolation differs between processors."""
    used = cv2.ipp.useIPP()
    # The switch holds for the current thread.
    cv2.ipp.setUseIPP(False)
    try:
        yield
    finally:
        cv2.ipp.setUseIPP(used)


def _grey(image: Image) -> Image:
    return image if image.ndim == 2 else _uint8(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def _lungs(both: ImageAndMask) -> Image:
    if both.mask is None or both.mask.shape != both.image.shape[:2]:
        shape = None if both.mask is None else both.mask.shape
        raise DataError(
            f"A preprocessing step needs a lung mask of the image's size. Received: a mask of "
            f"shape {shape} for an image of {both.image.shape}. Give the image's mask, or leave "
            f"{' and '.join(sorted(NEED_MASK))} out of the pipeline."
        )
    return both.mask


def _crop(both: ImageAndMask, rows: slice, columns: slice) -> ImageAndMask:
    mask = None if both.mask is None else np.ascontiguousarray(both.mask[rows, columns])
    return ImageAndMask(np.ascontiguousarray(both.image[rows, columns]), mask)


def _uint8(image: Any) -> Image:
    pixels: Image = image
    return pixels
