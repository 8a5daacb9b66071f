"""A classifier taken apart for its explanation: scores before the softmax, and any layer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import KerasTensor

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import unknown_name_error
from kagglecxr.models.model_card import MODELS
from kagglecxr.models.runtime import compiled_function
from kagglecxr.saliency.backend import Array

Targets = npt.NDArray[np.intp]
"""(N,) the class that each map is for."""
BATCH = 16


@dataclass(frozen=True)
class ExplainedModel:
    """A flat model of the zoo that maps images (N, H, W, C), 0..255, to probabilities.

    Maps are of logits: a softmax is flat where it is sure, and its gradient with it.
    """

    model: keras.Model

    @cached_property
    def scores(self) -> keras.Model:
        """The model up to its logits (N, classes)."""
        return keras.Model(self.model.input, self._logits, name=self.model.name)

    @cached_property
    def logits(self) -> Callable[[Array], Array]:
        """From images (N, H, W, C) to logits (N, classes), compiled."""
        return compiled_function(self.scores)

    @property
    def gradcam_layer(self) -> str:
        """The last layer with a height and a width."""
        return MODELS[self.model.name].gradcam_layer

    @property
    def _logits(self) -> KerasTensor:
        return self.model.get_layer("probabilities").input

    def split(self, layer: str) -> tuple[keras.Model, keras.Model]:
        """Splits the model behind a layer.

        Returns:
            The part from images to the layer's output, and that from there to the logits.

        Raises:
            UnknownNameError: there is no such layer.
            SettingError: there is a way from image to logits around the layer.
        """
        names = [each.name for each in self.model.layers]
        if layer not in names:
            raise unknown_name_error(f"layer of {self.model.name}", layer, names)
        features = self.model.get_layer(layer).output
        try:
            rest = keras.Model(features, self._logits)
        except ValueError as error:
            raise SettingError(
                f"A layer does not part a network in two. Received: {layer} of {self.model.name}, "
                f"which has a connection around it. Name {self.gradcam_layer}, or a layer where "
                "branches end."
            ) from error
        return keras.Model(self.model.input, features), rest


def of_targets(logits: Any, targets: Targets) -> Any:
    """Returns the logit of each item's target, (N,).

    Args:
        logits: (N, classes), a tensor of the backend.
        targets: (N,) numbers of classes; of a single sigmoid unit 1 or 0, whose logit is the
            negative one.
    """
    if logits.shape[-1] == 1:
        return logits[:, 0] * keras.ops.convert_to_tensor(2.0 * targets - 1.0, "float32")
    chosen = keras.ops.one_hot(targets, logits.shape[-1], dtype="float32")
    return keras.ops.sum(logits * chosen, axis=-1)


def target_score(model: keras.Model, targets: Targets) -> Callable[[Any], Any]:
    """Returns a function from what a model takes to the logit of each item's target."""
    return lambda tensor: of_targets(model(tensor, training=False), targets)


def in_batches(images: Array, targets: Targets) -> Iterator[tuple[Array, Targets]]:
    """Yields images with their targets, a batch at a time."""
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH], targets[start : start + BATCH]


def over_channels(map_of_channels: Array) -> Array:
    """Returns the sum over the channels (N, H, W, C) of a signed map."""
    return np.asarray(map_of_channels.sum(axis=-1), np.float32)
