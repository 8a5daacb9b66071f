"""Histogram equalisation inside a model, with the exact values of cv2.equalizeHist."""

from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops

from kagglecxr.models.layers.pixel_operations import PixelLayer

LEVELS = 256
WHITE = LEVELS - 1
LANES = 4
"""Histograms per image that pixels are counted into in turn: neighbours often have one gray level,
and repeated increments of one counter wait for each other."""
DOUBLINGS = np.array([WHITE * 2**15 >> k for k in range(23)], np.int32)
"""A divisor is doubled once for each of these that it does not exceed, which normalises it."""


@keras.saving.register_keras_serializable(package="kagglecxr")
class HistogramEqualization(PixelLayer):
    """Equalises the histogram of each image and channel exactly as cv2.equalizeHist does.

    Takes (batch, H, W, C) raw pixels 0..255, of which any size may be unknown, as uint8 (faster) or
    as floats, which are rounded (a half to even) and clipped to 0..255. Returns float32 of the same
    shape. Gradients do not flow to the pixels; layers behind this one learn as usual. An image has
    at most 255 * 2**16 pixels (4080 x 4096).
    """

    def call(self, images: KerasTensor) -> KerasTensor:
        """Returns the equalised images."""
        return ops.cast(equalise(images), self.compute_dtype)


def round_pixels(images: KerasTensor) -> KerasTensor:
    """Returns raw pixels as int32 in 0..255."""
    if keras.backend.standardize_dtype(images.dtype) == "uint8":
        return ops.cast(images, "int32")
    return ops.clip(ops.cast(ops.round(images), "int32"), 0, WHITE)


def equalise(images: KerasTensor) -> KerasTensor:
    """Equalises each image and channel of (batch, H, W, C) raw pixels to uint8."""
    batch, height, width, channels = ops.shape(images)
    places = height * width
    pixels = ops.reshape(round_pixels(images), (batch, places, channels))
    number = ops.reshape(ops.arange(batch * channels, dtype="int32"), (batch, 1, channels))
    lane = ops.reshape(ops.arange(places, dtype="int32") % LANES, (places, 1))
    bins = ops.reshape((number * LANES + lane) * LEVELS + pixels, (-1,))
    counts = ops.segment_sum(
        ops.ones_like(bins), bins, num_segments=batch * channels * LANES * LEVELS
    )
    counts = ops.sum(ops.reshape(counts, (batch * channels, LANES, LEVELS)), axis=1)
    table = ops.reshape(_tables(counts, places), (-1,))
    equal = ops.take(table, number * LEVELS + pixels)
    return ops.reshape(equal, (batch, height, width, channels))


def _tables(counts: KerasTensor, total: Any) -> KerasTensor:
    """Returns the new value of each gray level, (images, 256) uint8, by OpenCV's rule.

    The darkest level of an image becomes 0. Any other becomes 255 times the share of the remaining
    pixels that are no brighter. An image of one level stays unchanged.
    """
    cumulative = ops.cumsum(counts, axis=1)
    darkest = ops.min(ops.where(cumulative > 0, cumulative, total), axis=1, keepdims=True)
    others = total - darkest
    no_brighter = ops.cast(ops.maximum(cumulative - darkest, 0), "float32")
    share = no_brighter * nearest_scale(ops.maximum(others, 1))
    table = ops.where(others == 0, ops.arange(LEVELS, dtype="float32"), ops.round(share))
    # The table is sorted already, but XLA does not recompute a sorted array for every pixel.
    return ops.cast(ops.sort(table, axis=1), "uint8")


def nearest_scale(others: KerasTensor) -> KerasTensor:
    """Returns the float32 nearest to 255 / others, on any device.

    XLA's division on GPUs is sometimes wrong in the last bit, which moves a pixel by a whole gray
    level. So this is a long division of integers, for the 24 bits of a float32.
    """
    doubled = ops.where(others <= ops.convert_to_tensor(DOUBLINGS), 2, 1)
    doubling = ops.prod(doubled, axis=1, keepdims=True)
    divisor = others * doubling
    quotient: KerasTensor = 0
    remainder: KerasTensor = WHITE * 2**15
    for _ in range(4):
        remainder = remainder * 2**6
        quotient = quotient * 2**6 + remainder // divisor
        remainder = remainder % divisor
    quotient = quotient + ops.cast(2 * remainder > divisor, "int32")
    return ops.cast(quotient, "float32") * ops.cast(doubling, "float32") * 2.0**-39
