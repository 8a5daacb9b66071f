"""One model of a pipeline, folds, runs and views: raw images of any size in, probabilities out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import keras
from keras import layers

from kagglecxr.core.errors import SettingError, shorten
from kagglecxr.core.registry import Registry
from kagglecxr.models.layers.answers import ClassProbabilities, Mirrored
from kagglecxr.models.layers.channels import EqualisedBrightenedEdges
from kagglecxr.models.layers.clahe import ContrastLimitedEqualization
from kagglecxr.models.layers.equalisation import HistogramEqualization
from kagglecxr.models.layers.preprocessing import Colours, Gamma, Luma, WholeGreys
from kagglecxr.models.layers.resizing import SquareResizing

Steps = Sequence[tuple[str, tuple[Any, ...]]]
"""Names and arguments of preprocessing steps, as `Pipeline.steps` has them."""

STEP_LAYERS = Registry[Callable[..., list[layers.Layer]]]("step of an exported model")
VIEW_LAYERS = Registry[Callable[[], list[layers.Layer]]]("view of an exported model")

GREY_AFTERWARDS = frozenset({"gray", "equalise", "clahe", "stack"})
"""The steps that make an image grey, whatever it was."""


@dataclass(frozen=True)
class Member:
    """A run in a whole model.

    Attributes:
        folds: its models, of distinct names; each takes what the pipeline makes.
        views: names of what each of them looks at.
    """

    folds: Sequence[keras.Model]
    views: Sequence[str]


def whole_model(
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
    probabilities = ClassProbabilities(classes, origin, name="probabilities")(_mean(answers))
    return keras.Model(inputs, probabilities, name="whole")


def pipeline_layers(steps: Steps, channels: int) -> list[layers.Layer]:
    """Layers that do to (batch, H, W, 1 or 3) raw pixels what a pipeline does to an image.

    Args:
        steps: the pipeline's.
        channels: how many the result shall have.

    Raises:
        SettingError: a step that no layer does.
    """
    refused = [name for name, _ in steps if name not in STEP_LAYERS]
    if refused:
        raise SettingError(
            f"A preprocessing step cannot be part of an exported file. Received: "
            f"{shorten(refused)}. {_WHY.get(refused[0], 'No layer does it.')} Prepare with a "
            f"pipeline of {', '.join(STEP_LAYERS.names())}, and train again."
        )
    found: list[layers.Layer] = [WholeGreys()]
    if GREY_AFTERWARDS.isdisjoint(name for name, _ in steps):
        found.append(Luma() if channels == 1 else Colours())
    for name, arguments in steps:
        found += STEP_LAYERS[name](*arguments)
    return found


_NEEDS_MASK = "It needs a lung mask, which a file alone does not get."
_WHY = {
    "mask": _NEEDS_MASK,
    "lung_box": _NEEDS_MASK,
    "trim": "It cuts every image of a batch to another size.",
}


@STEP_LAYERS.add
def gray() -> list[layers.Layer]:
    """One channel."""
    return [Luma()]


@STEP_LAYERS.add
def resize(size: int) -> list[layers.Layer]:
    """A square, as this machine's OpenCV makes it."""
    return [SquareResizing(size, fixed_point=not cv2.ipp.useIPP())]


@STEP_LAYERS.add
def equalise() -> list[layers.Layer]:
    """Histogram equalisation."""
    return [Luma(), HistogramEqualization()]


@STEP_LAYERS.add
def clahe(clip: float, tiles: int) -> list[layers.Layer]:
    """Histogram equalisation tile by tile."""
    return [Luma(), ContrastLimitedEqualization(clip, tiles)]


@STEP_LAYERS.add
def gamma(exponent: float) -> list[layers.Layer]:
    """Greys to a power."""
    return [Gamma(exponent)]


@STEP_LAYERS.add
def stack(brightening: int) -> list[layers.Layer]:
    """Three channels of a grey image."""
    return [Luma(), EqualisedBrightenedEdges(brightening)]


@VIEW_LAYERS.add
def as_is() -> list[layers.Layer]:
    """The images themselves."""
    return []


@VIEW_LAYERS.add
def mirrored() -> list[layers.Layer]:
    """Left and right exchanged."""
    return [Mirrored()]


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
