"""Preprocessing as a pipe of named pure functions: "gray | resize | equalise".

The string is part of the cache's key, so what it says is what the cache holds.
"""

import ast
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import cv2
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import Registry
from kagglecxr.data.images import Image

DEFAULT_PIPELINE = "gray | resize"

Pixels = Annotated[int, Field(ge=1, le=4096)]
Tiles = Annotated[int, Field(ge=1, le=64)]
Clip = Annotated[float, Field(gt=0, le=100)]

STEPS = Registry[Callable[..., Image]]("preprocessing step")


@STEPS.add
def gray(image: Image) -> Image:
    """One channel, by luma weights (ITU-R BT.601)."""
    return image if image.ndim == 2 else _uint8(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


@STEPS.add
def resize(image: Image, size: Pixels) -> Image:
    """A square of `size` pixels: areas averaged when it shrinks, cubic when it grows."""
    height, width = image.shape[:2]
    if height == width == size:
        return image
    method = cv2.INTER_AREA if min(height, width) >= size else cv2.INTER_CUBIC
    return _uint8(cv2.resize(image, (size, size), interpolation=method))


@STEPS.add
def equalise(image: Image) -> Image:
    """Histogram equalisation (cv2.equalizeHist) of a grey image."""
    return _uint8(cv2.equalizeHist(gray(image)))


@STEPS.add
def clahe(image: Image, clip: Clip = 2.0, tiles: Tiles = 8) -> Image:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994) of a grey image."""
    return _uint8(cv2.createCLAHE(clip, (tiles, tiles)).apply(gray(image)))


def _uint8(image: Any) -> Image:
    pixels: Image = image
    return pixels


@dataclass(frozen=True)
class Pipeline:
    """A parsed pipe string; call it on an image.

    Attributes:
        text: the string in its one canonical spelling, every argument written out.
    """

    text: str
    _steps: tuple[tuple[Callable[..., Image], tuple[Any, ...]], ...]

    def __call__(self, image: Image) -> Image:
        """The image after every step, in order."""
        for step, arguments in self._steps:
            image = step(image, *arguments)
        return image

    @classmethod
    def parse(cls, text: str, size: int) -> "Pipeline":
        """Reads a pipe string; `resize` without an argument takes `size`.

        Raises:
            UnknownNameError: a step has no such name; the nearest three are given.
            SettingError: the string cannot be read, or a step cannot take an argument.

        >>> Pipeline.parse("gray | resize | clahe(3.0)", 224).text
        'gray | resize(224) | clahe(3.0, 8)'
        """
        steps, words = [], []
        for part in text.split("|"):
            match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", part)
            if not match:
                raise _unreadable(text, part)
            name, inside = match.group(1), match.group(2)
            step = STEPS[name]
            try:
                arguments = ast.literal_eval(f"({inside},)") if inside and inside.strip() else ()
            except (SyntaxError, ValueError) as error:
                raise _unreadable(text, part) from error
            if name == "resize" and not arguments:
                arguments = (size,)
            arguments = _checked(step, name, arguments)
            steps.append((step, arguments))
            shown = ", ".join(repr(argument) for argument in arguments)
            words.append(f"{name}({shown})" if arguments else name)
        return cls(" | ".join(words), tuple(steps))


def _checked(step: Callable[..., Image], name: str, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """All arguments of a step, defaults written out, each within what its annotation allows."""
    parameters = list(inspect.signature(step).parameters.values())[1:]
    if len(given) > len(parameters) or any(
        parameter.default is parameter.empty for parameter in parameters[len(given) :]
    ):
        raise SettingError(
            f"A preprocessing step has other arguments. Received: {name} with {len(given)} of "
            f"them. Write {name}({', '.join(parameter.name for parameter in parameters)})."
        )
    checked = []
    for position, parameter in enumerate(parameters):
        value = given[position] if position < len(given) else parameter.default
        try:
            strictly = TypeAdapter(parameter.annotation, config=ConfigDict(strict=True))
            checked.append(strictly.validate_python(value))
        except ValidationError as error:
            raise SettingError(
                f"A preprocessing step cannot take an argument. Received: {name} with "
                f"{parameter.name} = {value!r}. {error.errors()[0]['msg']}."
            ) from error
    return tuple(checked)


def _unreadable(text: str, part: str) -> SettingError:
    return SettingError(
        f"A preprocessing pipeline cannot be read. Received: {text!r}, at {part.strip()!r}. "
        f"Write step names with | between them, as in {DEFAULT_PIPELINE!r}; steps are "
        f"{', '.join(STEPS.names())}."
    )
