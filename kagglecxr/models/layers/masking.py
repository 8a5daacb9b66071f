"""Shows a net the lungs alone."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from kagglecxr.models.card import Tensor


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
