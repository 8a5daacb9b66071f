"""Layers that change raw pixels: steps of a preprocessing pipeline, masking, normalisation.

The pipeline's steps give OpenCV's numbers on uint8. All take (batch, H, W, C) raw pixels 0..255,
any of the sizes unknown, and return float32.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from kagglecxr.models.model_card import Tensor

Shape = tuple[int | None, ...]

LUMA = (9798, 19235, 3735)
"""Red's, green's and blue's share of grey in 1/2**15 (ITU-R BT.601), as OpenCV rounds them."""


class _Float32Layer(layers.Layer):  # type: ignore[misc]
    """A layer of pixels: in half precision neighbouring grey values would fall together."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's."""
        return input_shape


@keras.saving.register_keras_serializable(package="kagglecxr")
class RoundPixels(_Float32Layer):
    """Rounds pixels to whole grey levels and cuts them to 0..255, as an image file holds them."""

    def call(self, images: Tensor) -> Tensor:
        """The images in whole grey levels."""
        return ops.clip(ops.round(ops.cast(images, "float32")), 0, 255)


@keras.saving.register_keras_serializable(package="kagglecxr")
class GrayToRGB(_Float32Layer):
    """Three channels: RGB as it is, grey repeated."""

    def call(self, images: Tensor) -> Tensor:
        """The images, (batch, H, W, 3)."""
        return ops.concatenate(_red_green_blue(images), axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's, with three channels."""
        return (*input_shape[:-1], 3)


@keras.saving.register_keras_serializable(package="kagglecxr")
class RGBToGray(_Float32Layer):
    """One channel: grey as it is, RGB as cv2.COLOR_RGB2GRAY makes it grey."""

    def call(self, images: Tensor) -> Tensor:
        """The images, (batch, H, W, 1)."""
        red, green, blue = _red_green_blue(images)
        # All whole numbers below 2**24, so float32 is exact; the weights add up to 2**15.
        weighted = red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]
        return ops.floor((weighted + 2**14) / 2**15)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's, with one channel."""
        return (*input_shape[:-1], 1)


@keras.saving.register_keras_serializable(package="kagglecxr")
class Gamma(_Float32Layer):
    """Whole greys raised to a power of their share of white, and rounded again.

    Args:
        exponent: above 1 darker, below 1 brighter.
        **kwargs: name and dtype.
    """

    def __init__(self, exponent: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.exponent = exponent

    def call(self, images: Tensor) -> Tensor:
        """The images, each grey exchanged."""
        # By NumPy: a backend's power may differ in the last bit, and a half then be rounded away.
        table = np.rint(np.linspace(0.0, 1.0, 256) ** self.exponent * 255.0)
        greys = ops.cast(images, "int32")
        return ops.take(ops.convert_to_tensor(table, "float32"), greys)

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again."""
        return {**super().get_config(), "exponent": self.exponent}


def _red_green_blue(images: Tensor) -> list[Tensor]:
    """Three images of one channel, which are the same one where there is but one."""
    pixels = ops.cast(images, "float32")
    # How many channels there are may only be known when the model runs.
    channels = ops.shape(pixels)[-1]
    numbers = (0, channels // 2, channels - 1)
    return [ops.expand_dims(ops.take(pixels, number, axis=-1), -1) for number in numbers]


@keras.saving.register_keras_serializable(package="kagglecxr")
class ApplyMask(layers.Layer):  # type: ignore[misc]
    """Blackens what a segmenter does not hold for lung: `ApplyMask()([images, lungs])`.

    Takes images (batch, H, W, C), uint8 or float, and the lungs' probabilities (batch, H, W, 1).
    These are rounded to 0 or 1, a half to 0, and multiplied with every channel. Answers with the
    images' shape in float32, under mixed precision too.

    A gradient passes to the images inside the mask, and none to the mask: what is rounded has
    none, so the segmenter in front is trained on masks of its own.

    Args:
        **kwargs: name and dtype.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """The images, black outside the lungs."""
        images, lungs = inputs
        inside = ops.stop_gradient(ops.round(lungs))
        return ops.cast(images, self.compute_dtype) * inside

    def compute_output_shape(
        self, input_shape: Sequence[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """The images'."""
        return tuple(input_shape[0])


@keras.saving.register_keras_serializable(package="kagglecxr")
class ImageNormalization(layers.LayerNormalization):  # type: ignore[misc]
    """Layer normalisation over height, width and channels.

    `LayerNormalization(axis=(1, 2, 3))`, but for its config: Keras 3.15 reads no list of axes from
    an .h5 file, and normalises the channels of each pixel instead, without a word.

    Args:
        **kwargs: what `LayerNormalization` takes, but axis.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, axis=(1, 2, 3))

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again."""
        return {key: value for key, value in super().get_config().items() if key != "axis"}
