"""Resizing inside a model, with the exact values of cv2.resize."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import KerasTensor, layers, ops

from kagglecxr.models.layers.pixel_operations import PixelLayer, Shape

Length = Any
"""Pixels of a side: an int, or a tensor where it is known only when the model runs."""

SHARPNESS = -0.75
"""The parameter of the cubic kernel (Keys 1981, equation 4), as OpenCV sets it."""
FIXED_POINT = 2048
CUBIC_TAPS = 4


@keras.saving.register_keras_serializable(package="kagglecxr")
class SquareResizing(PixelLayer):
    """Resizes to a square: by area averaging where an image shrinks, bicubic where it grows.

    Takes (batch, H, W, C) whole raw pixels 0..255, of which any size may be unknown, and returns
    whole pixels (batch, size, size, C). Where no side is below `size`, the result equals
    cv2.INTER_AREA on uint8 bit for bit: float32 products are summed in OpenCV's order, which
    decides the many sums that end in a half. Otherwise it equals cv2.INTER_CUBIC on uint8 as in
    OpenCV's own code (Intel's differs between processors), bit for bit except for the last columns
    of a size that is no multiple of 8, where one pixel in 100,000 is off by one gray level.

    Args:
        size: pixels of a side.
    """

    arguments = ("size",)

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        # XLA would fuse products and sums into one rounding, and recompile for every size.
        self.supports_jit = False

    def call(self, images: KerasTensor) -> KerasTensor:
        """Returns the resized images."""
        size = self.size
        _, height, width, _ = ops.shape(images)
        shrinks = ops.minimum(height, width) >= size
        # OpenCV sums integers where every cell consists of whole pixels.
        whole = ops.logical_and(height % size == 0, width % size == 0)
        resized = ops.cast(images, "float32")
        for axis, length in ((2, width), (1, height)):
            index, weights = self._taps(length, shrinks, ops.logical_and(shrinks, whole))
            resized = _weighted_sum(resized, index, weights, length // size + CUBIC_TAPS, axis)
        pixels = ops.maximum((height // size) * (width // size), 1)
        share = ops.where(ops.logical_and(shrinks, whole), 1 / ops.cast(pixels, "float32"), 1.0)
        # Only the mean of two by two pixels rounds a half up.
        halved = ops.logical_and(ops.equal(height, 2 * size), ops.equal(width, 2 * size))
        nudge = ops.where(halved, 0.125, 0.0)
        return ops.clip(ops.round(resized * share + nudge), 0, 255)

    def _taps(
        self, length: Length, shrinks: KerasTensor, whole: KerasTensor
    ) -> tuple[KerasTensor, KerasTensor]:
        """Returns the source pixels of each new pixel and their weights, both (taps, size)."""
        # A mean and a cubic get the same number of taps, for one loop; surplus ones weigh 0.
        tap = ops.expand_dims(ops.arange(length // self.size + CUBIC_TAPS, dtype="int32"), 1)
        mean_index, mean = _mean_taps(length, self.size, tap, whole)
        cubic_index, cubic = _cubic_taps(length, self.size, tap)
        index = ops.clip(ops.where(shrinks, mean_index, cubic_index), 0, length - 1)
        return index, ops.where(shrinks, mean, cubic)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the input's shape with both sides set."""
        return (input_shape[0], self.size, self.size, input_shape[3])


@keras.saving.register_keras_serializable(package="kagglecxr")
class ResizeLike(layers.Layer):  # type: ignore[misc]
    """Resizes a feature map to the height and width of another one, bilinearly.

    Takes [(batch, h, w, C), (batch, H, W, any)] and returns (batch, H, W, C).
    """

    def call(self, tensors: Sequence[KerasTensor]) -> KerasTensor:
        """Returns the first, of the second's size."""
        features, like = tensors
        return ops.image.resize(features, ops.shape(like)[1:3])

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Returns the first shape with the second's height and width."""
        features, like = input_shape
        return (features[0], like[1], like[2], features[3])


def _mean_taps(
    length: Length, size: int, tap: KerasTensor, whole: KerasTensor
) -> tuple[KerasTensor, KerasTensor]:
    """Returns the pixels that a new one covers, first to last, and the covered shares.

    Computed in integers, with old pixels `size` long and new ones `length`. OpenCV's doubles give
    the same, while backends differ in how they handle doubles.
    """
    cell = ops.arange(size, dtype="int32")
    pixel = cell * length // size + tap
    start, end = pixel * size, (pixel + 1) * size
    covered = ops.minimum(end, (cell + 1) * length) - ops.maximum(start, cell * length)
    # OpenCV ignores shares below a thousandth of a pixel.
    counted = ops.where(covered * 1000 > size, covered, 0)
    # Divided by an array: JAX multiplies by the reciprocal of a scalar, which rounds differently.
    unit = ops.where(whole, ops.full_like(covered, size), length)
    return pixel, ops.cast(counted, "float32") / ops.cast(unit, "float32")


def _cubic_taps(length: Length, size: int, tap: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
    """Returns the four pixels around a new one's centre, last to first, and Keys' weights."""
    # One pixel is added since ONNX rounds negative quotients up.
    position = (2 * ops.arange(size, dtype="int32") + 1) * length + size
    before = position // (2 * size) - 1
    beyond = ops.cast(position % (2 * size), "float32")
    x = beyond / ops.full_like(beyond, 2 * size)
    # As in OpenCV, x has lost the bits that the integer part takes.
    x = (ops.cast(before, "float32") + x) - ops.cast(before, "float32")
    y = 1.0 - x
    weights = ops.stack([_outer(y), _inner(y), _inner(x), _outer(x)])
    weights = ops.round(weights * FIXED_POINT) / FIXED_POINT
    last = CUBIC_TAPS - 1
    of_tap = ops.take(weights, ops.minimum(tap[:, 0], last), axis=0)
    return before + 2 - tap, ops.where(tap <= last, of_tap, 0.0)


def _inner(x: KerasTensor) -> KerasTensor:
    """Returns the kernel at distance x, at most 1."""
    return ((SHARPNESS + 2) * x - (SHARPNESS + 3)) * x * x + 1


def _outer(x: KerasTensor) -> KerasTensor:
    """Returns the kernel at distance 1 + x, at most 2."""
    return SHARPNESS * x * (1 - x) * (1 - x)


def _weighted_sum(
    images: KerasTensor, index: KerasTensor, weights: KerasTensor, taps: Length, axis: int
) -> KerasTensor:
    """Sums weights times pixels over the taps of an axis, one tap after the other."""
    along = [-1 if axis == other else 1 for other in range(4)]

    def product(tap: Length) -> KerasTensor:
        return ops.take(images, index[tap], axis=axis) * ops.reshape(weights[tap], along)

    def add(tap: Length, total: KerasTensor) -> KerasTensor:
        return total + product(tap)

    total = product(0)
    if not isinstance(taps, int):
        return ops.fori_loop(1, taps, add, total)
    # In a loop of its own JAX would fuse products and sums.
    for tap in range(1, taps):
        total = add(tap, total)
    return total
