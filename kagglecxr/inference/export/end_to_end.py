"""One model of a pipeline, folds, runs and views: raw images of any size in, probabilities out."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from kagglecxr.core.errors import SettingError, shorten
from kagglecxr.core.registry import Registry
from kagglecxr.inference.tta import VIEWS, resolve_views
from kagglecxr.models.layers.channels import EqualisedBrightenedEdges
from kagglecxr.models.layers.clahe import ContrastLimitedEqualization
from kagglecxr.models.layers.equalisation import HistogramEqualization
from kagglecxr.models.layers.outputs import LabeledOutput
from kagglecxr.models.layers.pixel_operations import Gamma, GrayToRGB, RGBToGray, RoundPixels
from kagglecxr.models.layers.resizing import SquareResizing

Steps = Sequence[tuple[str, tuple[Any, ...]]]
"""Names and arguments of preprocessing steps, as `Pipeline.steps` has them."""

RunModels = tuple[Sequence[keras.Model], Sequence[str]]
"""The models of a run's folds, of distinct names, and the names of the views they predict from."""

STEP_LAYERS = Registry[Callable[..., list[layers.Layer]]]("step of an exported model")

GRAY_STEPS = frozenset({"gray", "equalise", "clahe", "stack"})
"""The steps that make any image gray."""


def end_to_end_model(
    steps: Steps, runs: Sequence[RunModels], classes: Sequence[str], origin: str
) -> keras.Model:
    """Builds the model that does what a pipeline and a `Predictor` do.

    The model takes (batch, H, W, 1 or 3) raw pixels 0..255, uint8 or float, of any H and W where
    the pipeline resizes; its last layer, "probabilities", has the attribute `classes`.

    `steps` are those the runs were trained with; the last layer keeps `classes`, the names of the
    probabilities, and `origin`, what the model is made of.

    Raises:
        SettingError: a step that no layer does.
        UnknownNameError: there is no such view.
    """
    height, width, channels = runs[0][0][0].input_shape[1:]
    resized = any(name == "resize" for name, _ in steps)
    inputs = keras.Input((*((None, None) if resized else (height, width)), None), name="image")
    image = inputs
    for layer in pipeline_layers(steps, channels):
        image = layer(image)
    outputs = []
    for models, names in runs:
        views = [VIEWS[name].layer()(image) for name in resolve_views(names)]
        outputs.append(_mean([_mean([model(view) for view in views]) for model in models]))
    probabilities = LabeledOutput(classes, origin, name="probabilities")(_mean(outputs))
    return keras.Model(inputs, probabilities, name="whole")


def _mean(outputs: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
    return outputs[0] if len(outputs) == 1 else layers.Average(dtype="float32")(outputs)


def pipeline_layers(steps: Steps, channels: int) -> list[layers.Layer]:
    """Makes layers that do to (batch, H, W, 1 or 3) raw pixels what a pipeline does to an image.

    The result has so many channels.

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
    found: list[layers.Layer] = [RoundPixels()]
    if GRAY_STEPS.isdisjoint(name for name, _ in steps):
        found.append(RGBToGray() if channels == 1 else GrayToRGB())
    for name, arguments in steps:
        found += STEP_LAYERS[name](*arguments)
    return found


_NEEDS_MASK = "It needs a lung mask, which a file alone does not get."
_WHY = {
    "mask": _NEEDS_MASK,
    "lung_box": _NEEDS_MASK,
    "lungs": _NEEDS_MASK,
    "trim": "It cuts every image of a batch to another size.",
}

STEP_LAYERS.add_as("gray")(lambda: [RGBToGray()])
STEP_LAYERS.add_as("rgb")(lambda: [GrayToRGB()])
STEP_LAYERS.add_as("resize")(lambda size: [SquareResizing(size)])
STEP_LAYERS.add_as("equalise")(lambda: [RGBToGray(), HistogramEqualization()])
STEP_LAYERS.add_as("clahe")(
    lambda clip, tiles: [RGBToGray(), ContrastLimitedEqualization(clip, tiles)]
)
STEP_LAYERS.add_as("gamma")(lambda exponent: [Gamma(exponent)])
STEP_LAYERS.add_as("stack")(
    lambda brightening: [RGBToGray(), EqualisedBrightenedEdges(brightening)]
)
