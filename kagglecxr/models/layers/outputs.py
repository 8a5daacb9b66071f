"""Layers of an exported model: the flipped view of its images, and labeled probabilities."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import KerasTensor, ops

from kagglecxr.models.layers.pixel_operations import PixelLayer


@keras.saving.register_keras_serializable(package="kagglecxr")
class HorizontalFlip(PixelLayer):
    """Flips (batch, H, W, C) images left to right."""

    def call(self, images: KerasTensor) -> KerasTensor:
        """Returns the flipped images."""
        return ops.flip(images, axis=2)


@keras.saving.register_keras_serializable(package="kagglecxr")
class LabeledOutput(PixelLayer):
    """Returns probabilities (batch, classes) unchanged and keeps the names of their classes.

    An exported file thus says by itself what its columns are.

    Args:
        classes: the classes' names, in the order of the columns.
        origin: a description of what the model was made of.
    """

    arguments = ("classes", "origin")

    def __init__(self, classes: Sequence[str], origin: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes, self.origin = list(classes), origin

    def call(self, probabilities: KerasTensor) -> KerasTensor:
        """Returns the probabilities."""
        return probabilities
