"""Histogram equalisation inside a model, in the very numbers of cv2.equalizeHist."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from kagglecxr.models.model_card import Tensor

LEVELS = 256
WHITE = LEVELS - 1
LANES = 4
"""Histograms an image is counted into by turns: neighbours are often of one grey, and a counter
that was just raised is not soon ready to be raised again."""
DOUBLINGS = np.array([WHITE * 2**15 >> k for k in range(23)], np.int32)
"""A number is doubled once for each of these that it does not exceed, to come into one octave."""


@keras.saving.register_keras_serializable(package="kagglecxr")
class HistogramEqualization(layers.Layer):  # type: ignore[misc]
    """Equalises the histogram of each image and channel, to the bit as cv2.equalizeHist does.

    Takes (batch, H, W, C) raw pixels 0..255, as uint8 or as floats, which are rounded to whole
    numbers (a half to the even one) and cut to 0..255. Any of the sizes may be unknown. Answers
    with the same shape in float32, under mixed precision too: float16 cannot hold a sum of
    pixels. uint8 is the faster input.

    No gradient passes to the pixels, since whole numbers have none; layers behind this one learn
    as ever. An image has at most 255 * 2**16 pixels (4080 x 4096).

    Args:
        **kwargs: name and dtype.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, images: Tensor) -> Tensor:
        """The images, equalised."""
        return ops.cast(equalise(images), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's."""
        return input_shape


def round_pixels(images: Tensor) -> Tensor:
    """Raw pixels as int32 in 0..255."""
    if keras.backend.standardize_dtype(images.dtype) == "uint8":
        return ops.cast(images, "int32")
    return ops.clip(ops.cast(ops.round(images), "int32"), 0, WHITE)


def equalise(images: Tensor) -> Tensor:
    """Equalises (batch, H, W, C) raw pixels, each image and channel on its own, to uint8."""
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


def _tables(counts: Tensor, total: Any) -> Tensor:
    """What each grey becomes, (images, 256) uint8, by OpenCV's rule.

    The darkest grey of an image becomes 0; of the pixels that are not of it, the share that is no
    brighter than a grey, times 255, is what that grey becomes. An image of one grey stays.
    """
    to_here = ops.cumsum(counts, axis=1)
    darkest = ops.min(ops.where(to_here > 0, to_here, total), axis=1, keepdims=True)
    others = total - darkest
    no_brighter = ops.cast(ops.maximum(to_here - darkest, 0), "float32")
    share = no_brighter * nearest_scale(ops.maximum(others, 1))
    table = ops.where(others == 0, ops.arange(LEVELS, dtype="float32"), ops.round(share))
    # A table rises already. But what was sorted is not worked out anew for each pixel by XLA.
    return ops.cast(ops.sort(table, axis=1), "uint8")


def nearest_scale(others: Tensor) -> Tensor:
    """The float32 nearest to 255 / others, on any device.

    XLA's division on GPUs is sometimes off in the last bit, and so a grey by a whole level. Hence
    a long division in whole numbers, for the 24 bits that a float32 has.
    """
    doubled = ops.where(others <= ops.convert_to_tensor(DOUBLINGS), 2, 1)
    doubling = ops.prod(doubled, axis=1, keepdims=True)
    divisor = others * doubling
    quotient: Tensor = 0
    remainder: Tensor = WHITE * 2**15
    for _ in range(4):
        remainder = remainder * 2**6
        quotient = quotient * 2**6 + remainder // divisor
        remainder = remainder % divisor
    quotient = quotient + ops.cast(2 * remainder > divisor, "int32")
    return ops.cast(quotient, "float32") * ops.cast(doubling, "float32") * 2.0**-39
