"""Contrast-limited equalisation inside a model, in the very numbers of cv2.createCLAHE."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from kagglecxr.core.errors import SettingError
from kagglecxr.models.layers.equalisation import LEVELS, WHITE, round_pixels
from kagglecxr.models.model_card import Tensor


@keras.saving.register_keras_serializable(package="kagglecxr")
class ContrastLimitedEqualization(layers.Layer):  # type: ignore[misc]
    """Equalises each tile of a grey image as far as `clip` lets it (Zuiderveld 1994).

    The layer of the preprocessing step `clahe`, and the same numbers to the bit. Takes images
    (batch, H, W, 1) of one known size of raw pixels 0..255, as uint8 or as floats, which are
    rounded; answers in float32, under mixed precision too. No gradient passes to the pixels.

    Args:
        clip: how often a grey may occur in a tile, in multiples of its even share.
        tiles: how many there are along each side.
        **kwargs: name and dtype.

    Raises:
        SettingError: images of unknown size or of several channels.
    """

    def __init__(self, clip: float = 2.0, tiles: int = 8, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.clip, self.tiles = clip, tiles
        # XLA would join products and sums to one rounding.
        self.supports_jit = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks that the images are grey and of a known size."""
        if None in input_shape[1:] or input_shape[-1] != 1:
            raise SettingError(
                "Tiles are laid over grey images of one size. Received: images of shape "
                f"{tuple(input_shape[1:])}. Resize them and make them grey before."
            )

    def call(self, images: Tensor) -> Tensor:
        """The images, equalised tile by tile."""
        height, width = images.shape[1:3]
        pixels = round_pixels(images)[..., 0]
        filled = width % self.tiles != 0 or height % self.tiles != 0
        across, down = (_Axis(length, self.tiles, filled) for length in (width, height))
        covered = ops.take(ops.take(pixels, down.mirrored(), axis=1), across.mirrored(), axis=2)
        tables = _tables(_apart(covered, self.tiles, down.tile, across.tile), self.clip)
        above, below, y = map(ops.convert_to_tensor, down.neighbours())
        left, right, x = map(ops.convert_to_tensor, across.neighbours())
        y = ops.expand_dims(y, 1)

        def seen_by(row: Tensor, column: Tensor) -> Tensor:
            """What the pixels become by one of the tiles around them."""
            tile = ops.expand_dims(row, 1) * self.tiles + column
            image = ops.reshape(ops.arange(ops.shape(pixels)[0], dtype="int32"), (-1, 1, 1))
            return ops.take(tables, (image * self.tiles**2 + tile) * LEVELS + pixels)

        upper = seen_by(above, left) * (1 - x) + seen_by(above, right) * x
        lower = seen_by(below, left) * (1 - x) + seen_by(below, right) * x
        blended = upper * (1 - y) + lower * y
        return ops.clip(ops.round(blended), 0, WHITE)[..., None]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again."""
        return {**super().get_config(), "clip": self.clip, "tiles": self.tiles}


def _apart(covered: Tensor, tiles: int, height: int, width: int) -> Tensor:
    """The pixels of each tile of (batch, H, W) images, (batch * tiles * tiles, pixels)."""
    rows = ops.reshape(covered, (-1, tiles, height, tiles, width))
    return ops.reshape(ops.transpose(rows, (0, 1, 3, 2, 4)), (-1, height * width))


def _tables(apart: Tensor, clip: float) -> Tensor:
    """What each grey becomes in each tile, (tiles * 256,) float32."""
    tiles, pixels = ops.shape(apart)
    bins = ops.expand_dims(ops.arange(tiles, dtype="int32"), 1) * LEVELS + apart
    bins = ops.reshape(bins, (-1,))
    counts = ops.segment_sum(ops.ones_like(bins), bins, num_segments=tiles * LEVELS)
    limit = max(int(clip * pixels / LEVELS), 1)
    to_here = ops.cumsum(_clipped(ops.reshape(counts, (-1, LEVELS)), limit), axis=1)
    scale = float(np.float32(WHITE) / np.float32(pixels))
    table = ops.round(ops.cast(to_here, "float32") * scale)
    return ops.reshape(ops.clip(table, 0, WHITE), (-1,))


def _clipped(counts: Tensor, limit: int) -> Tensor:
    """Counts (tiles, 256) up to a limit; what is beyond goes to all greys alike."""
    beyond = ops.sum(ops.maximum(counts - limit, 0), axis=1, keepdims=True)
    # What does not go round goes to a few greys, far apart.
    rest = beyond % LEVELS
    step = LEVELS // ops.maximum(rest, 1)
    grey = ops.arange(LEVELS, dtype="int32")
    one_more = ops.logical_and(ops.equal(grey % step, 0), grey // step < rest)
    return ops.minimum(counts, limit) + beyond // LEVELS + ops.cast(one_more, "int32")


class _Axis:
    """One side of an image and its tiles.

    Args:
        length: its pixels.
        tiles: how many tiles there are.
        filled: whether one of the two sides is no multiple of them.

    Attributes:
        tile: pixels of a tile.
    """

    def __init__(self, length: int, tiles: int, filled: bool) -> None:
        self.length, self.tiles = length, tiles
        # A pixel more in each tile also where this side is a multiple: so OpenCV has it.
        self.extra = tiles - length % tiles if filled else 0
        self.tile = (length + self.extra) // tiles

    def mirrored(self) -> npt.NDArray[np.intp]:
        """The pixels the tiles are made of."""
        return np.pad(np.arange(self.length), (0, self.extra), mode="reflect")

    def neighbours(
        self,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """The tiles before and after each pixel, and how near it is to the second, 0..1."""
        place = np.arange(self.length, dtype=np.float32) * (np.float32(1) / np.float32(self.tile))
        place = place - np.float32(0.5)
        before = np.floor(place).astype(np.int32)
        near = place - before.astype(np.float32)
        return np.maximum(before, 0), np.minimum(before + 1, self.tiles - 1), near
