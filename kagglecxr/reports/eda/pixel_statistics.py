"""Pixel statistics: mean images, histograms, brightness, equalised and masked images."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.progress import Bar
from kagglecxr.data.images.image import Image
from kagglecxr.data.images.image_array import ImageArray

GREYS = 256
BLOCK = 1 << 22
"""Number of pixels in memory at once."""
OUTLINE = (255, 209, 102)

Values = npt.NDArray[np.float64]
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class PixelSummary:
    """The number of images in a set, their mean image (0 to 255) and (256,) shares of grays."""

    images: int
    mean: Values
    pixels: Values


def summarise(
    images: ImageArray, sets: Mapping[Name, npt.NDArray[np.bool_]], bar: Bar
) -> dict[Name, PixelSummary]:
    """Computes mean images and histograms of sets of images in one pass, block by block.

    Images are (N, H, W) or (N, H, W, 3), as those of a cache. A set is (N,) bool; sets may
    overlap and are not empty.
    """
    belongs = np.array(list(sets.values()), np.float64).reshape(len(sets), len(images))
    shape = images.shape[1:]
    sums = np.zeros((len(sets), int(np.prod(shape))))
    counts = np.zeros((len(sets), GREYS))
    step = max(1, BLOCK // sums.shape[1])
    for start in range(0, len(images), step):
        block = np.asarray(images[start : start + step]).reshape(-1, sums.shape[1])
        part = belongs[:, start : start + len(block)]
        # Sums of integers below 2**53 are exact for any block size.
        sums += part @ block.astype(np.float64)
        counts += part @ np.array([np.bincount(row, minlength=GREYS) for row in block], np.float64)
        bar.advance(len(block))
    size = belongs.sum(axis=1)
    return {
        name: PixelSummary(
            int(size[k]), (sums[k] / size[k]).reshape(shape), counts[k] / counts[k].sum()
        )
        for k, name in enumerate(sets)
    }


def mean_grey(thumbnails: npt.NDArray[np.uint8]) -> Values:
    """Returns the (N,) mean gray values of image files from their thumbnails (N, 32, 32).

    A thumbnail averages areas, so its mean is that of the file, before any preprocessing.
    """
    values: Values = thumbnails.mean(axis=(1, 2), dtype=np.float64)
    return values


def gray_histogram(image: Image, mask: Image | None = None) -> Values:
    """Returns the (256,) share of each gray value, inside the mask if there is one.

    All are zero if the mask is empty.
    """
    pixels = image.ravel() if mask is None else image[mask > 0]
    counts = np.bincount(pixels, minlength=GREYS)
    return counts / max(pixels.size, 1)


def equalised(image: Image, mask: Image | None = None) -> Image:
    """Equalises a gray image by cv2.equalizeHist, masked first if there is a mask.

    OpenCV maps the darkest gray value to 0 and excludes it from the sum, so the black around
    masked lungs has no effect.
    """
    visible = image if mask is None else masked(image, mask)
    return np.asarray(cv2.equalizeHist(visible), np.uint8)


def masked(image: Image, mask: Image) -> Image:
    """Returns a gray image, black outside the mask."""
    return np.where(mask > 0, image, 0).astype(np.uint8)


def outlined(image: Image, mask: Image) -> Image:
    """Returns a gray image in RGB, (H, W, 3), with the contour of its mask."""
    drawn = np.repeat(image[..., None], 3, axis=2)
    within = (mask > 0).astype(np.uint8)
    contours, _ = cv2.findContours(within, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, OUTLINE, max(1, round(max(image.shape) / 150)))
    return drawn
