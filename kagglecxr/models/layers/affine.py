"""Zoomed, cropped and rotated views, with the same gray levels in NumPy and in a model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import KerasTensor, ops

from kagglecxr.models.layers.pixel_operations import PixelLayer

Coordinates = npt.NDArray[np.float64]
Taps = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]
"""Four source pixels of each new one and their weights, both (4, H * W)."""

SUBPIXELS = 32
"""Positions are rounded to this share of a pixel, as cv2.warpAffine rounds them."""
UNIT = SUBPIXELS**2
"""The sum of the four weights. With whole gray levels and weights every sum is exact in float32, so
no backend, runtime or order of additions can give another one."""


@dataclass(frozen=True)
class AffineWindow:
    """What a view shows of an image, in the image's own size: a window, turned and perhaps flipped.

    Attributes:
        share: of each side that the window shows.
        degrees: by which it turns the image, counterclockwise.
        shift: of the window's centre from the image's, in shares of height and width.
        flip: whether the view is flipped left to right.
    """

    share: float = 1.0
    degrees: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    flip: bool = False

    def sample(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Returns the view of images (batch, H, W, C); beyond an edge, the pixels of the edge."""
        index, weights = self.taps(*images.shape[1:3])
        # Pixels first: each tap then copies whole rows of a table instead of single values.
        pixels = images.reshape(len(images), index.shape[1], -1).swapaxes(0, 1)
        table = np.ascontiguousarray(pixels).reshape(index.shape[1], -1)
        total = np.full(table.shape, UNIT // 2, np.int32)
        for tap, weight in zip(index, weights, strict=True):
            total += table[tap] * weight[:, None]
        sampled = (total // UNIT).astype(np.uint8).reshape(pixels.shape)
        return np.ascontiguousarray(sampled.swapaxes(0, 1)).reshape(images.shape)

    def restore(self, maps: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns maps (batch, H, W, ...) of the view in the image's geometry; 0 where it ends."""
        batch, height, width = maps.shape[:3]
        y, x = _centred(height, width)
        y, x = y - self.shift[0] * height, x - self.shift[1] * width
        cos, sin = self._turn()
        y, x = (cos * y - sin * x) / self.share, (sin * y + cos * x) / self.share
        index, weights = _taps(y, -x if self.flip else x)
        inside = (np.abs(y) <= height / 2) & (np.abs(x) <= width / 2)
        values = maps.reshape(batch, height * width, -1)
        shares = (weights * inside.ravel() / UNIT)[..., None]
        total = np.sum([values[:, k] * w for k, w in zip(index, shares, strict=True)], axis=0)
        rounded = np.rint(total) if np.issubdtype(maps.dtype, np.integer) else total
        return np.asarray(rounded.reshape(maps.shape), maps.dtype)

    @lru_cache(maxsize=32)  # noqa: B019 frozen and small
    def taps(self, height: int, width: int) -> Taps:
        """Returns the pixels of an image of which each pixel of the view is the weighted mean."""
        y, x = _centred(height, width)
        x = -x if self.flip else x
        cos, sin = self._turn()
        y, x = self.share * (cos * y + sin * x), self.share * (cos * x - sin * y)
        return _taps(y + self.shift[0] * height, x + self.shift[1] * width)

    def _turn(self) -> tuple[float, float]:
        angle = math.radians(self.degrees)
        return math.cos(angle), math.sin(angle)


def _centred(height: int, width: int) -> tuple[Coordinates, Coordinates]:
    """Returns rows and columns of pixels (H, W), counted from the image's centre."""
    y, x = np.mgrid[:height, :width]
    return y - (height - 1) / 2, x - (width - 1) / 2


def _taps(y: Coordinates, x: Coordinates) -> Taps:
    """Returns the bilinear taps of positions (H, W), counted from the image's centre."""
    pairs = []
    for position, size in zip((y, x), y.shape, strict=True):
        fine = np.rint((position.ravel() + (size - 1) / 2) * SUBPIXELS).astype(np.int32)
        fine = np.clip(fine, 0, (size - 1) * SUBPIXELS)
        first, beyond = fine // SUBPIXELS, fine % SUBPIXELS
        second = np.minimum(first + 1, size - 1)
        pairs.append(((first, SUBPIXELS - beyond), (second, beyond)))
    both = [(row, column) for row in pairs[0] for column in pairs[1]]
    index = np.stack([row[0] * y.shape[1] + column[0] for row, column in both])
    weights = np.stack([row[1] * column[1] for row, column in both])
    return index.astype(np.int32), weights.astype(np.int32)


@keras.saving.register_keras_serializable(package="kagglecxr")
class AffineView(PixelLayer):
    """Shows whole gray levels 0..255 through an `AffineWindow`, with exactly its gray levels.

    Takes (batch, H, W, C), of which H and W are known.

    Args are those of the window.
    """

    arguments = ("share", "degrees", "shift", "flip")

    def __init__(
        self,
        share: float = 1.0,
        degrees: float = 0.0,
        shift: Sequence[float] = (0.0, 0.0),
        flip: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.share, self.degrees, self.flip = share, degrees, flip
        self.shift = (shift[0], shift[1])

    def call(self, images: KerasTensor) -> KerasTensor:
        """Returns the views."""
        height, width = images.shape[1:3]
        window = AffineWindow(self.share, self.degrees, self.shift, self.flip)
        index, weights = window.taps(height, width)
        channels = ops.shape(images)[-1]
        pixels = ops.reshape(ops.cast(images, "float32"), (-1, height * width, channels))
        total = UNIT / 2
        for tap, weight in zip(index, weights.astype(np.float32), strict=True):
            total = total + ops.take(pixels, tap, axis=1) * weight[:, None]
        return ops.reshape(ops.floor(total / UNIT), (-1, height, width, channels))
