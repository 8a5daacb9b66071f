"""Contrast-limited equalisation inside a model, with the exact values of cv2.createCLAHE."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import KerasTensor, ops

from kagglecxr.core.errors import SettingError
from kagglecxr.models.layers.equalisation import LEVELS, WHITE, round_pixels
from kagglecxr.models.layers.pixel_operations import PixelLayer


@keras.saving.register_keras_serializable(package="kagglecxr")
class ContrastLimitedEqualization(PixelLayer):
    """Equalises each tile of a gray image with limited contrast (CLAHE; Zuiderveld 1994).

    Equals the preprocessing step `clahe` bit for bit. Takes images (batch, H, W, 1) of one known
    size of raw pixels 0..255, as uint8 or as floats, which are rounded. Gradients do not flow to
    the pixels.

    Args:
        clip: the most pixels of one gray level in a tile, in multiples of its mean count.
        tiles: number of tiles along each side.

    Raises:
        SettingError: images of unknown size or of several channels.
    """

    arguments = ("clip", "tiles")

    def __init__(self, clip: float = 2.0, tiles: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.clip, self.tiles = clip, tiles
        # XLA would fuse products and sums into one rounding.
        self.supports_jit = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks that the images are gray and of a known size."""
        if None in input_shape[1:] or input_shape[-1] != 1:
            raise SettingError(
                "CLAHE takes gray images of one size. Received: images of shape "
                f"{tuple(input_shape[1:])}. Convert them to gray and resize them first."
            )

    def call(self, images: KerasTensor) -> KerasTensor:
        """Returns the images, equalised tile by tile."""
        height, width = images.shape[1:3]
        pixels = round_pixels(images)[..., 0]
        filled = width % self.tiles != 0 or height % self.tiles != 0
        across, down = (_Axis(length, self.tiles, filled) for length in (width, height))
        padded = ops.take(ops.take(pixels, down.padding(), axis=1), across.padding(), axis=2)
        tables = _tables(_split_tiles(padded, self.tiles, down.tile, across.tile), self.clip)
        above, below, y = map(ops.convert_to_tensor, down.neighbours())
        left, right, x = map(ops.convert_to_tensor, across.neighbours())
        y = ops.expand_dims(y, 1)

        def mapped_by(row: KerasTensor, column: KerasTensor) -> KerasTensor:
            """Returns the pixels mapped by the table of one neighbouring tile."""
            tile = ops.expand_dims(row, 1) * self.tiles + column
            image = ops.reshape(ops.arange(ops.shape(pixels)[0], dtype="int32"), (-1, 1, 1))
            return ops.take(tables, (image * self.tiles**2 + tile) * LEVELS + pixels)

        upper = mapped_by(above, left) * (1 - x) + mapped_by(above, right) * x
        lower = mapped_by(below, left) * (1 - x) + mapped_by(below, right) * x
        blended = upper * (1 - y) + lower * y
        return ops.clip(ops.round(blended), 0, WHITE)[..., None]


def _split_tiles(padded: KerasTensor, tiles: int, height: int, width: int) -> KerasTensor:
    """Splits (batch, H, W) images into tiles, (batch * tiles * tiles, pixels)."""
    rows = ops.reshape(padded, (-1, tiles, height, tiles, width))
    return ops.reshape(ops.transpose(rows, (0, 1, 3, 2, 4)), (-1, height * width))


def _tables(pixels_of: KerasTensor, clip: float) -> KerasTensor:
    """Returns the new value of each gray level in each tile, (tiles * 256,) float32."""
    tiles, pixels = ops.shape(pixels_of)
    bins = ops.expand_dims(ops.arange(tiles, dtype="int32"), 1) * LEVELS + pixels_of
    bins = ops.reshape(bins, (-1,))
    counts = ops.segment_sum(ops.ones_like(bins), bins, num_segments=tiles * LEVELS)
    limit = max(int(clip * pixels / LEVELS), 1)
    cumulative = ops.cumsum(_clipped(ops.reshape(counts, (-1, LEVELS)), limit), axis=1)
    scale = float(np.float32(WHITE) / np.float32(pixels))
    table = ops.round(ops.cast(cumulative, "float32") * scale)
    return ops.reshape(ops.clip(table, 0, WHITE), (-1,))


def _clipped(counts: KerasTensor, limit: int) -> KerasTensor:
    """Clips counts (tiles, 256) at a limit and spreads the excess over all gray levels."""
    excess = ops.sum(ops.maximum(counts - limit, 0), axis=1, keepdims=True)
    # The remainder goes to a few levels at equal distances.
    rest = excess % LEVELS
    step = LEVELS // ops.maximum(rest, 1)
    level = ops.arange(LEVELS, dtype="int32")
    one_more = ops.logical_and(ops.equal(level % step, 0), level // step < rest)
    return ops.minimum(counts, limit) + excess // LEVELS + ops.cast(one_more, "int32")


class _Axis:
    """One axis of an image and its tiles; `filled` if either axis is no multiple of `tiles`."""

    def __init__(self, length: int, tiles: int, filled: bool) -> None:
        self.length, self.tiles = length, tiles
        # As in OpenCV, each tile gets a pixel more even where this axis is a multiple.
        self.extra = tiles - length % tiles if filled else 0
        self.tile = (length + self.extra) // tiles

    def padding(self) -> npt.NDArray[np.intp]:
        """Returns the indices of the padded axis, reflected at its end."""
        return np.pad(np.arange(self.length), (0, self.extra), mode="reflect")

    def neighbours(
        self,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Returns the tiles before and after each pixel and the weight of the second, 0..1."""
        share = np.float32(1) / np.float32(self.tile)
        position = np.arange(self.length, dtype=np.float32) * share - np.float32(0.5)
        before = np.floor(position).astype(np.int32)
        weight = position - before.astype(np.float32)
        return np.maximum(before, 0), np.minimum(before + 1, self.tiles - 1), weight
