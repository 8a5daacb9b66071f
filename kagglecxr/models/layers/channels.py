"""Three different channels from a gray image, for backbones that take three."""

from typing import Any

import keras
from keras import KerasTensor, ops

from kagglecxr.core.errors import SettingError
from kagglecxr.models.layers.equalisation import WHITE, equalise, round_pixels
from kagglecxr.models.layers.pixel_operations import PixelLayer, Shape


@keras.saving.register_keras_serializable(package="kagglecxr")
class EqualisedBrightenedEdges(PixelLayer):
    """Stacks three channels as report 3's Xception took them: equalised, brightened, edges (Sobel).

    Equals the preprocessing step `stack` bit for bit. Takes gray images (batch, H, W, 1) of raw
    pixels 0..255, uint8 or float, and returns (batch, H, W, 3). Gradients do not flow to the
    pixels.

    Args:
        brightening: gray levels added in the second channel, 0..255.

    Raises:
        SettingError: another brightening, or images of more than one channel.
    """

    arguments = ("brightening",)

    def __init__(self, brightening: int = 40, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if brightening not in range(WHITE + 1):
            raise SettingError(
                "Brightening is a whole number of gray levels. Received: "
                f"brightening={brightening}. Use one of 0..255."
            )
        self.brightening = brightening

    def build(self, input_shape: Shape) -> None:
        """Checks that the images are gray."""
        if input_shape[-1] != 1:
            raise SettingError(
                f"Channels are stacked from gray images. Received: images of {input_shape[-1]} "
                "channels. Give (batch, height, width, 1)."
            )

    def call(self, images: KerasTensor) -> KerasTensor:
        """Returns the equalised, the brightened and the edge image as channels."""
        gray = round_pixels(images)
        equalised = ops.cast(equalise(images), "int32")
        brightened = ops.minimum(gray + self.brightening, WHITE)
        stack = ops.concatenate([equalised, brightened, _edges(gray)], axis=-1)
        return ops.cast(stack, self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the input's shape with three channels."""
        return (*input_shape[:-1], 3)


def _edges(gray: KerasTensor) -> KerasTensor:
    """Returns the magnitude of Sobel's gradient, rounded and clipped to 0..255, int32.

    A convolution would be shorter, but backends may compute it inexactly; these are integers.
    """
    gray = _reflect_pad(gray)
    across = _difference(_smooth(gray, 1), 2)
    down = _difference(_smooth(gray, 2), 1)
    magnitude = ops.sqrt(ops.cast(across * across + down * down, "float32"))
    return ops.minimum(ops.cast(ops.round(magnitude), "int32"), WHITE)


def _reflect_pad(gray: KerasTensor) -> KerasTensor:
    """Pads one pixel on each side as BORDER_REFLECT_101 does, also along an axis of one pixel."""
    gray = ops.concatenate([gray[:, :2][:, -1:], gray, gray[:, -2:][:, :1]], axis=1)
    columns = [gray[:, :, :2][:, :, -1:], gray, gray[:, :, -2:][:, :, :1]]
    return ops.concatenate(columns, axis=2)


def _smooth(gray: KerasTensor, axis: int) -> KerasTensor:
    """Returns the weighted sum 1, 2, 1 along an axis, which loses two pixels."""
    before, here, after = _neighbours(gray, axis)
    return before + 2 * here + after


def _difference(gray: KerasTensor, axis: int) -> KerasTensor:
    """Returns the next pixel minus the previous one along an axis, which loses two pixels."""
    before, _, after = _neighbours(gray, axis)
    return after - before


def _neighbours(gray: KerasTensor, axis: int) -> tuple[KerasTensor, KerasTensor, KerasTensor]:
    if axis == 1:
        return gray[:, :-2], gray[:, 1:-1], gray[:, 2:]
    return gray[:, :, :-2], gray[:, :, 1:-1], gray[:, :, 2:]
