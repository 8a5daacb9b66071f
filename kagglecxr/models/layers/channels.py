"""Three channels from a grey image, for backbones that take three."""

from typing import Any

import keras
from keras import layers, ops

from kagglecxr.core.errors import SettingError
from kagglecxr.models.layers.equalisation import WHITE, equalise, round_pixels
from kagglecxr.models.model_card import Tensor


@keras.saving.register_keras_serializable(package="kagglecxr")
class EqualisedBrightenedEdges(layers.Layer):  # type: ignore[misc]
    """Three channels as report 3's Xception took them: equalised, brightened, edges (Sobel).

    The layer of the preprocessing step `stack`, and the same numbers to the bit. Takes grey
    images (batch, H, W, 1) of raw pixels 0..255, uint8 or float, as `HistogramEqualization`
    does; answers (batch, H, W, 3) in float32, under mixed precision too. No gradient passes to
    the pixels.

    Args:
        brightening: grey levels added in the second channel, 0..255.
        **kwargs: name and dtype.

    Raises:
        SettingError: another brightening, or images of more than one channel.
    """

    def __init__(self, brightening: int = 40, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        if brightening not in range(WHITE + 1):
            raise SettingError(
                "Brightening is a whole number of grey levels. Received: "
                f"brightening={brightening}. Use one of 0..255."
            )
        self.brightening = brightening

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks that the images are grey."""
        if input_shape[-1] != 1:
            raise SettingError(
                f"Channels are stacked from grey images. Received: images of {input_shape[-1]} "
                "channels. Give (batch, height, width, 1)."
            )

    def call(self, images: Tensor) -> Tensor:
        """Equalised, brightened, edges."""
        grey = round_pixels(images)
        equalised = ops.cast(equalise(images), "int32")
        brightened = ops.minimum(grey + self.brightening, WHITE)
        stack = ops.concatenate([equalised, brightened, _edges(grey)], axis=-1)
        return ops.cast(stack, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Three channels."""
        return (*input_shape[:-1], 3)

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again."""
        return {**super().get_config(), "brightening": self.brightening}


def _edges(grey: Tensor) -> Tensor:
    """How steep each place is by Sobel's operators, rounded and cut to 0..255, int32.

    A convolution would be shorter, but may be worked out in fractions; these are whole numbers.
    """
    grey = _reflect_pad(grey)
    across = _difference(_smooth(grey, 1), 2)
    down = _difference(_smooth(grey, 2), 1)
    steepness = ops.sqrt(ops.cast(across * across + down * down, "float32"))
    return ops.minimum(ops.cast(ops.round(steepness), "int32"), WHITE)


def _reflect_pad(grey: Tensor) -> Tensor:
    """A pixel more on each side, as OpenCV's BORDER_REFLECT_101 adds it, to a line of one too."""
    grey = ops.concatenate([grey[:, :2][:, -1:], grey, grey[:, -2:][:, :1]], axis=1)
    columns = [grey[:, :, :2][:, :, -1:], grey, grey[:, :, -2:][:, :, :1]]
    return ops.concatenate(columns, axis=2)


def _smooth(grey: Tensor, axis: int) -> Tensor:
    """1, 2, 1 along an axis, which loses two places."""
    before, here, after = _neighbours(grey, axis)
    return before + 2 * here + after


def _difference(grey: Tensor, axis: int) -> Tensor:
    """The next place less the one before, along an axis, which loses two places."""
    before, _, after = _neighbours(grey, axis)
    return after - before


def _neighbours(grey: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    if axis == 1:
        return grey[:, :-2], grey[:, 1:-1], grey[:, 2:]
    return grey[:, :, :-2], grey[:, :, 1:-1], grey[:, :, 2:]
