"""Layers that change raw pixels: steps of a preprocessing pipeline, masking, normalisation.

The pipeline's steps give OpenCV's values on uint8. All take (batch, H, W, C) raw pixels 0..255, of
which any size may be unknown, and return float32.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import KerasTensor, layers, ops

Shape = tuple[int | None, ...]
LUMA = (9798, 19235, 3735)
"""Weights of red, green and blue in 1/2**15 (ITU-R BT.601), as OpenCV rounds them."""


class PixelLayer(layers.Layer):  # type: ignore[misc]
    """A layer that maps raw pixels (batch, H, W, C) to float32 of the same shape.

    It computes in float32 under mixed precision too, as float16 cannot tell neighbouring gray
    levels apart.

    Attributes:
        arguments: names of the constructor's arguments, kept as attributes and in the config.
    """

    arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        own = {name: getattr(self, name) for name in self.arguments}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="kagglecxr")
class RoundPixels(PixelLayer):
    """Rounds pixels to whole gray levels and clips them to 0..255, as an image file holds them."""

    def call(self, images: KerasTensor) -> KerasTensor:
        """Returns the rounded images."""
        return ops.clip(ops.round(ops.cast(images, "float32")), 0, 255)


@keras.saving.register_keras_serializable(package="kagglecxr")
class GrayToRGB(PixelLayer):
    """Repeats a gray channel three times; RGB images are returned unchanged."""

    def call(self, images: KerasTensor) -> KerasTensor:
        """Returns the images, (batch, H, W, 3)."""
        return ops.concatenate(_split_rgb(images), axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the input's shape with three channels."""
        return (*input_shape[:-1], 3)


@keras.saving.register_keras_serializable(package="kagglecxr")
class RGBToGray(PixelLayer):
    """Converts RGB to gray as cv2.COLOR_RGB2GRAY does; gray images are returned unchanged."""

    def call(self, images: KerasTensor) -> KerasTensor:
        """Returns the images, (batch, H, W, 1)."""
        red, green, blue = _split_rgb(images)
        # All are whole numbers below 2**24, which float32 holds exactly; the weights sum to 2**15.
        weighted = red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]
        return ops.floor((weighted + 2**14) / 2**15)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the input's shape with one channel."""
        return (*input_shape[:-1], 1)


@keras.saving.register_keras_serializable(package="kagglecxr")
class Gamma(PixelLayer):
    """Raises whole gray levels, as shares of white, to a power and rounds them again.

    Args:
        exponent: above 1 darkens, below 1 brightens.
    """

    arguments = ("exponent",)

    def __init__(self, exponent: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.exponent = exponent

    def call(self, images: KerasTensor) -> KerasTensor:
        """Returns the images with each gray level replaced."""
        # A table from NumPy, since a backend's power may differ in the last bit and then be rounded
        # the other way.
        table = np.rint(np.linspace(0.0, 1.0, 256) ** self.exponent * 255.0)
        return ops.take(ops.convert_to_tensor(table, "float32"), ops.cast(images, "int32"))


@keras.saving.register_keras_serializable(package="kagglecxr")
class ApplyMask(PixelLayer):
    """Sets pixels outside the lungs to black: `ApplyMask()([images, lungs])`.

    Takes images (batch, H, W, C), uint8 or float, and lung probabilities (batch, H, W, 1), which
    are rounded to 0 or 1 (a half to 0). Gradients flow to the images inside the mask and not to the
    mask, since rounding has none.
    """

    def call(self, inputs: Sequence[KerasTensor]) -> KerasTensor:
        """Returns the masked images."""
        images, lungs = inputs
        inside = ops.stop_gradient(ops.round(lungs))
        return ops.cast(images, self.compute_dtype) * inside

    def compute_output_shape(  # type: ignore[override]
        self, input_shape: Sequence[Shape]
    ) -> Shape:
        """Returns the shape of the images."""
        return tuple(input_shape[0])


@keras.saving.register_keras_serializable(package="kagglecxr")
class ImageNormalization(layers.LayerNormalization):  # type: ignore[misc]
    """Layer normalisation over height, width and channels.

    Like `LayerNormalization(axis=(1, 2, 3))`, except for its config: Keras 3.15 does not read a
    list of axes from an .h5 file and silently normalises the channels of each pixel instead.

    Args:
        **kwargs: arguments of `LayerNormalization` except axis.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, axis=(1, 2, 3))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {key: value for key, value in super().get_config().items() if key != "axis"}


def _split_rgb(images: KerasTensor) -> list[KerasTensor]:
    """Returns three (batch, H, W, 1) channels; of gray images, the same one three times."""
    pixels = ops.cast(images, "float32")
    # The number of channels may be known only when the model runs.
    channels = ops.shape(pixels)[-1]
    numbers = (0, channels // 2, channels - 1)
    return [ops.expand_dims(ops.take(pixels, number, axis=-1), -1) for number in numbers]
