"""One model of a pipeline, folds, runs and views: raw images of any size in, probabilities out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from kagglecxr.core.registry import Registry
from kagglecxr.inference.export.pipeline_layers import Steps, pipeline_layers
from kagglecxr.models.layers.outputs import HorizontalFlip, LabeledOutput

VIEW_LAYERS = Registry[Callable[[], list[layers.Layer]]]("view of an exported model")


@dataclass(frozen=True)
class Member:
    """A run in a whole model.

    Attributes:
        folds: its models, of distinct names; each takes what the pipeline makes.
        views: names of what each of them looks at.
    """

    folds: Sequence[keras.Model]
    views: Sequence[str]


def end_to_end_model(
    steps: Steps, members: Sequence[Member], classes: Sequence[str], origin: str
) -> keras.Model:
    """The mean of runs, each the mean of its folds, each the mean of its views.

    The model takes (batch, H, W, 1 or 3) raw pixels 0..255, uint8 or float, of any H and W where
    the pipeline resizes; its last layer, "probabilities", has the attribute `classes`.

    Args:
        steps: the preprocessing the runs were trained with.
        members: the runs.
        classes: names of the probabilities.
        origin: what is written into the last layer for a reader.

    Raises:
        SettingError: a step or a view that no layer does.
    """
    height, width, channels = members[0].folds[0].input_shape[1:]
    resized = any(name == "resize" for name, _ in steps)
    inputs = keras.Input((*((None, None) if resized else (height, width)), None), name="image")
    image = inputs
    for layer in pipeline_layers(steps, channels):
        image = layer(image)
    answers = [
        _mean(
            [_mean([fold(seen) for seen in _views(image, member.views)]) for fold in member.folds]
        )
        for member in members
    ]
    probabilities = LabeledOutput(classes, origin, name="probabilities")(_mean(answers))
    return keras.Model(inputs, probabilities, name="whole")


@VIEW_LAYERS.add
def identity() -> list[layers.Layer]:
    """The images themselves."""
    return []


@VIEW_LAYERS.add
def hflip() -> list[layers.Layer]:
    """Left and right exchanged."""
    return [HorizontalFlip()]


def _views(image: Any, names: Sequence[str]) -> list[Any]:
    seen = []
    for name in names:
        view = image
        for layer in VIEW_LAYERS[name]():
            view = layer(view)
        seen.append(view)
    return seen


def _mean(answers: Sequence[Any]) -> Any:
    return answers[0] if len(answers) == 1 else layers.Average(dtype="float32")(answers)
