"""What stands at a whole model's two ends: which views of an image it looks at, what it answers."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from kagglecxr.models.model_card import Tensor


@keras.saving.register_keras_serializable(package="kagglecxr")
class HorizontalFlip(layers.Layer):  # type: ignore[misc]
    """Left and right of (batch, H, W, C) images exchanged."""

    def call(self, images: Tensor) -> Tensor:
        """The images, mirrored."""
        return ops.flip(images, axis=2)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's."""
        return input_shape


@keras.saving.register_keras_serializable(package="kagglecxr")
class LabeledOutput(layers.Layer):  # type: ignore[misc]
    """Leaves probabilities (batch, classes) as they are, and says what they are of.

    So that a file with a model in it needs no other beside it.

    Args:
        classes: their names, in the order of the columns.
        origin: what the model was made of, to be read.
        **kwargs: name and dtype.
    """

    def __init__(self, classes: Sequence[str], origin: str = "", **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.classes, self.origin = list(classes), origin

    def call(self, probabilities: Tensor) -> Tensor:
        """The probabilities."""
        return probabilities

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again."""
        return {**super().get_config(), "classes": self.classes, "origin": self.origin}
