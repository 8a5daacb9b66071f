"""Layers that do to raw pixels what a preprocessing pipeline does to an image."""

from collections.abc import Callable, Sequence
from typing import Any

from keras import layers

from kagglecxr.core.errors import SettingError, shorten
from kagglecxr.core.registry import Registry
from kagglecxr.models.layers.channels import EqualisedBrightenedEdges
from kagglecxr.models.layers.clahe import ContrastLimitedEqualization
from kagglecxr.models.layers.equalisation import HistogramEqualization
from kagglecxr.models.layers.pixel_operations import Gamma, GrayToRGB, RGBToGray, RoundPixels
from kagglecxr.models.layers.resizing import SquareResizing

Steps = Sequence[tuple[str, tuple[Any, ...]]]
"""Names and arguments of preprocessing steps, as `Pipeline.steps` has them."""

STEP_LAYERS = Registry[Callable[..., list[layers.Layer]]]("step of an exported model")

GRAY_STEPS = frozenset({"gray", "equalise", "clahe", "stack"})
"""The steps that make an image grey, whatever it was."""


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
    "trim": "It cuts every image of a batch to another size.",
}


@STEP_LAYERS.add
def gray() -> list[layers.Layer]:
    """One channel."""
    return [RGBToGray()]


@STEP_LAYERS.add
def resize(size: int) -> list[layers.Layer]:
    """A square."""
    return [SquareResizing(size)]


@STEP_LAYERS.add
def equalise() -> list[layers.Layer]:
    """Histogram equalisation."""
    return [RGBToGray(), HistogramEqualization()]


@STEP_LAYERS.add
def clahe(clip: float, tiles: int) -> list[layers.Layer]:
    """Histogram equalisation tile by tile."""
    return [RGBToGray(), ContrastLimitedEqualization(clip, tiles)]


@STEP_LAYERS.add
def gamma(exponent: float) -> list[layers.Layer]:
    """Greys to a power."""
    return [Gamma(exponent)]


@STEP_LAYERS.add
def stack(brightening: int) -> list[layers.Layer]:
    """Three channels of a grey image."""
    return [RGBToGray(), EqualisedBrightenedEdges(brightening)]
