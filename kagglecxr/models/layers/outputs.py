"""Layers of an exported model: the flipped view of its images, and labeled probabilities."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import KerasTensor, ops

from kagglecxr.models.layers.pixel_operations import PixelLayer, Shape


@keras.saving.register_keras_serializable(package="kagglecxr")
class HorizontalFlip(PixelLayer):
    """Flips (batch, H, W, C) images left to right."""

    def call(self, images: KerasTensor) -> KerasTensor:
        """Returns the flipped images."""
        return ops.flip(images, axis=2)


@keras.saving.register_keras_serializable(package="kagglecxr")
class LabeledOutput(PixelLayer):
    """Returns probabilities (batch, ...) unchanged and keeps the names of their classes.

    An exported file thus says by itself what its columns are. How unusual the images are, (batch,),
    may be behind the probabilities: it is kept in the file and not returned.

    Args:
        classes: the classes' names, in the order of the columns.
        origin: a description of what the model was made of.
        standards: by what masks are judged, as JSON; empty for classes.
        card: the model card in Markdown.
        multilabel: whether an image may have several of the classes.
    """

    arguments = ("classes", "origin", "standards", "card", "multilabel")

    def __init__(
        self,
        classes: Sequence[str],
        origin: str = "",
        standards: str = "",
        card: str = "",
        multilabel: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.classes, self.origin, self.standards = list(classes), origin, standards
        self.card, self.multilabel = card, multilabel

    def call(self, inputs: KerasTensor | Sequence[KerasTensor]) -> KerasTensor:
        """Returns the probabilities."""
        return inputs[0] if isinstance(inputs, (list, tuple)) else inputs

    def compute_output_shape(self, input_shape: Shape | Sequence[Shape]) -> Shape:
        """Returns the shape of the probabilities."""
        shapes: list[Shape] = []
        keras.tree.map_shape_structure(shapes.append, input_shape)
        return shapes[0]
