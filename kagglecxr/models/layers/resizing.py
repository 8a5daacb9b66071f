"""Resizing inside a model, in the very numbers of cv2.resize."""

from typing import Any

import keras
from keras import layers, ops

from kagglecxr.models.model_card import Tensor

Length = Any
"""Pixels of a side: an int, or a tensor where it is not known before the model runs."""

SHARPNESS = -0.75
"""The parameter of the cubic kernel (Keys 1981, equation 4), as OpenCV sets it."""
FIXED_POINT = 2048
CUBIC_TAPS = 4


@keras.saving.register_keras_serializable(package="kagglecxr")
class SquareResizing(layers.Layer):  # type: ignore[misc]
    """A square of `size` pixels: areas averaged where an image shrinks, cubic where it grows.

    Takes (batch, H, W, C) whole raw pixels 0..255, any of the sizes unknown, and answers with
    (batch, size, size, C) float32, whole too. Averaging (no side below `size`) is cv2.INTER_AREA
    on uint8 to the bit: its float32 products are added in its order, which decides the many sums
    that end in a half. The rest is cv2.INTER_CUBIC on uint8, as OpenCV's own code does it (Intel's
    differs from processor to processor): to the bit but for the last columns of a size that is no
    multiple of 8, where one pixel in a hundred thousand is one grey level off.

    Args:
        size: pixels of a side.
        **kwargs: name and dtype.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.size = size
        # XLA would join products and sums to one rounding, and compile anew for every size.
        self.supports_jit = False

    def call(self, images: Tensor) -> Tensor:
        """The images, resized."""
        size = self.size
        _, height, width, _ = ops.shape(images)
        shrinks = ops.minimum(height, width) >= size
        # OpenCV adds whole numbers where every cell is made of whole pixels.
        whole = ops.logical_and(height % size == 0, width % size == 0)
        resized = ops.cast(images, "float32")
        for axis, length in ((2, width), (1, height)):
            index, weights = self._taps(length, shrinks, ops.logical_and(shrinks, whole))
            resized = _weighted_sum(resized, index, weights, length // size + CUBIC_TAPS, axis)
        pixels = ops.maximum((height // size) * (width // size), 1)
        share = ops.where(ops.logical_and(shrinks, whole), 1 / ops.cast(pixels, "float32"), 1.0)
        # Of two by two pixels, and of no others, it rounds a half up.
        halved = ops.logical_and(ops.equal(height, 2 * size), ops.equal(width, 2 * size))
        nudge = ops.where(halved, 0.125, 0.0)
        return ops.clip(ops.round(resized * share + nudge), 0, 255)

    def _taps(self, length: Length, shrinks: Tensor, whole: Tensor) -> tuple[Tensor, Tensor]:
        """Which pixels of one axis make each new one, and their weights, both (taps, size)."""
        # As many for a mean as for a cubic, so that both fit one loop; what is too many weighs 0.
        tap = ops.expand_dims(ops.arange(length // self.size + CUBIC_TAPS, dtype="int32"), 1)
        mean_index, mean = _mean_taps(length, self.size, tap, whole)
        cubic_index, cubic = _cubic_taps(length, self.size, tap)
        index = ops.clip(ops.where(shrinks, mean_index, cubic_index), 0, length - 1)
        return index, ops.where(shrinks, mean, cubic)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's, with the sides set."""
        return (input_shape[0], self.size, self.size, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again."""
        return {**super().get_config(), "size": self.size}


def _mean_taps(length: Length, size: int, tap: Tensor, whole: Tensor) -> tuple[Tensor, Tensor]:
    """The pixels a new one covers, and by how much, first to last.

    In whole numbers, where a pixel is `size` long and a new one `length`: OpenCV's doubles come
    out the same, and backends differ in what they make of doubles.
    """
    cell = ops.arange(size, dtype="int32")
    pixel = cell * length // size + tap
    start, end = pixel * size, (pixel + 1) * size
    covered = ops.minimum(end, (cell + 1) * length) - ops.maximum(start, cell * length)
    # OpenCV leaves out what is less than a thousandth of a pixel.
    counted = ops.where(covered * 1000 > size, covered, 0)
    # By an array: JAX multiplies by the reciprocal of a single number, which rounds differently.
    unit = ops.where(whole, ops.full_like(covered, size), length)
    return pixel, ops.cast(counted, "float32") / ops.cast(unit, "float32")


def _cubic_taps(length: Length, size: int, tap: Tensor) -> tuple[Tensor, Tensor]:
    """The four pixels around a new one's centre, last to first, and Keys' weights."""
    # A pixel more than it is: of what is below zero, ONNX rounds a quotient up.
    place = (2 * ops.arange(size, dtype="int32") + 1) * length + size
    before = place // (2 * size) - 1
    beyond = ops.cast(place % (2 * size), "float32")
    x = beyond / ops.full_like(beyond, 2 * size)
    # It has lost the bits that the whole part takes.
    x = (ops.cast(before, "float32") + x) - ops.cast(before, "float32")
    y = 1.0 - x
    weights = ops.stack([_outer(y), _inner(y), _inner(x), _outer(x)])
    weights = ops.round(weights * FIXED_POINT) / FIXED_POINT
    last = CUBIC_TAPS - 1
    of_tap = ops.take(weights, ops.minimum(tap[:, 0], last), axis=0)
    return before + 2 - tap, ops.where(tap <= last, of_tap, 0.0)


def _inner(x: Tensor) -> Tensor:
    """The kernel at a distance x up to 1."""
    return ((SHARPNESS + 2) * x - (SHARPNESS + 3)) * x * x + 1


def _outer(x: Tensor) -> Tensor:
    """The kernel at a distance 1 + x up to 2."""
    return SHARPNESS * x * (1 - x) * (1 - x)


def _weighted_sum(
    images: Tensor, index: Tensor, weights: Tensor, taps: Length, axis: int
) -> Tensor:
    """The sum over taps of weights times pixels along an axis, one tap after the other."""
    along = [-1 if axis == other else 1 for other in range(4)]

    def product(tap: Length) -> Tensor:
        return ops.take(images, index[tap], axis=axis) * ops.reshape(weights[tap], along)

    def add(tap: Length, total: Tensor) -> Tensor:
        return total + product(tap)

    total = product(0)
    if not isinstance(taps, int):
        return ops.fori_loop(1, taps, add, total)
    # JAX would compile a loop of its own, and join products and sums in it.
    for tap in range(1, taps):
        total = add(tap, total)
    return total
