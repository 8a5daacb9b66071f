"""One model of a pipeline, folds, runs and views: raw images of any size in, probabilities out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from kagglecxr.core.errors import SettingError, shorten
from kagglecxr.core.registry import Registry
from kagglecxr.data.images.steps import NEED_MASK
from kagglecxr.inference.novelty import Novelty
from kagglecxr.inference.predictions import PLAIN_VIEW
from kagglecxr.inference.tta import VIEWS, resolve_views
from kagglecxr.models.layers.channels import EqualisedBrightenedEdges
from kagglecxr.models.layers.clahe import ContrastLimitedEqualization
from kagglecxr.models.layers.distances import MahalanobisDistance
from kagglecxr.models.layers.equalisation import HistogramEqualization
from kagglecxr.models.layers.outputs import LabeledOutput
from kagglecxr.models.layers.pixel_operations import Gamma, GrayToRGB, RGBToGray, RoundPixels
from kagglecxr.models.layers.resizing import SquareResizing

Steps = Sequence[tuple[str, tuple[Any, ...]]]
"""Names and arguments of preprocessing steps, as `Pipeline.steps` has them."""


@dataclass(frozen=True)
class RunModels:
    """The models of a run that become one.

    Attributes:
        folds: the model of each fold, of distinct names. Where its novelty is known, it has pooled
            features behind its output, see `add_pooled_features`.
        views: the names of the views they predict from.
        novelties: of the folds, relative to the run's threshold; empty where they are not known.
    """

    folds: Sequence[keras.Model]
    views: Sequence[str]
    novelties: Sequence[Novelty] = ()


STEP_LAYERS = Registry[Callable[..., list[layers.Layer]]]("step of an exported model")

GRAY_STEPS = frozenset({"gray", "equalise", "clahe", "stack"})
"""The steps that make any image gray."""


def end_to_end_model(
    steps: Steps,
    runs: Sequence[RunModels],
    classes: Sequence[str],
    origin: str,
    standards: str = "",
    card: str = "",
    *,
    multilabel: bool = False,
) -> keras.Model:
    """Builds the model that does what a pipeline and a `Predictor` do.

    The model takes (batch, H, W, 1 or 3) raw pixels 0..255, uint8 or float, of any H and W where
    the pipeline resizes; its last layer, "probabilities", has the attribute `classes`. Where runs
    tell how unusual images are, that layer takes it, the mean over their folds, as second input.

    `steps` are those the runs were trained with; the last layer keeps `classes`, the names of the
    probabilities, `origin`, what the model is made of, `standards` of masks, the model card, and
    whether an image may have several of the classes.

    Raises:
        SettingError: a step that no layer does, or a view of masks that none turns back.
        UnknownNameError: there is no such view.
    """
    height, width, channels = runs[0].folds[0].input_shape[1:]
    resized = any(name == "resize" for name, _ in steps)
    inputs = keras.Input((*((None, None) if resized else (height, width)), None), name="image")
    image = inputs
    for layer in pipeline_layers(steps, channels):
        image = layer(image)
    outputs, novelties = [], list[keras.KerasTensor]()
    for run in runs:
        views = {name: VIEWS[name].layer()(image) for name in resolve_views(run.views)}
        of_folds = []
        for fold, model in enumerate(run.folds):
            returned = {name: keras.tree.flatten(model(view)) for name, view in views.items()}
            of_folds.append(_mean([_turn_back(name, maps[0]) for name, maps in returned.items()]))
            if run.novelties:
                features = returned.get(PLAIN_VIEW) or model(image)
                novelties.append(_novelty(run.novelties[fold], features[1:]))
        outputs.append(_mean(of_folds))
    last = LabeledOutput(classes, origin, standards, card, multilabel, name="probabilities")
    mean = _mean(outputs)
    probabilities = last([mean, _mean(novelties)]) if novelties else last(mean)
    return keras.Model(inputs, probabilities, name="whole")


def _turn_back(view: str, output: keras.KerasTensor) -> keras.KerasTensor:
    """Returns what a model predicts from a view in the image's own geometry: masks are turned.

    Raises:
        SettingError: a view of masks that no layer turns back.
    """
    if len(output.shape) < 4:
        return output
    inverse = VIEWS[view].inverse_layer
    if inverse is None:
        known = [name for name in VIEWS.names() if VIEWS[name].inverse_layer is not None]
        raise SettingError(
            f"No layer turns the masks of a view back. Received: {view}. Name "
            f"{' or '.join(known)} with --views."
        )
    return inverse()(output)


def _novelty(novelty: Novelty, features: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
    """Does what `Novelty.scores` does."""
    distances = []
    for gaussian, scale, pooled in zip(novelty.gaussians, novelty.scales, features, strict=True):
        layer = MahalanobisDistance(len(gaussian.directions))
        distances.append(layers.Rescaling(1 / float(scale), dtype="float32")(layer(pooled)))
        layer.set_gaussian(gaussian.mean, gaussian.directions, gaussian.deviations, gaussian.rest)
    return distances[0] if len(distances) == 1 else layers.Maximum(dtype="float32")(distances)


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
_WHY = dict.fromkeys(NEED_MASK, _NEEDS_MASK) | {
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
