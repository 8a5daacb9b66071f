"""Preprocessing as a pipeline of named pure functions, such as "gray | resize | equalise".

The pipeline's text is part of the cache's key.
"""

import ast
import inspect
import re
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from kagglecxr.core.errors import SettingError
from kagglecxr.data.images.image import Image
from kagglecxr.data.images.steps import NEED_MASK, STEPS, ImageAndMask, Step

DEFAULT_PIPELINE = "gray | resize"


@dataclass(frozen=True)
class Pipeline:
    """A parsed preprocessing pipeline; `text` is canonical, with every argument written out."""

    text: str
    needs_mask: bool
    _steps: tuple[tuple[Step, tuple[Any, ...]], ...]

    def __call__(self, image: Image, mask: Image | None = None) -> Image:
        """Applies every step in order to an image and its lung mask; returns the image."""
        both = ImageAndMask(image, mask)
        for step, arguments in self._steps:
            both = step(both, *arguments)
        return both.image

    @property
    def steps(self) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        """Each step's name and arguments, in order.

        >>> Pipeline.parse("gray | resize", 224).steps
        (('gray', ()), ('resize', (224,)))
        """
        return tuple((step.__name__, arguments) for step, arguments in self._steps)

    @classmethod
    def parse(cls, text: str, size: int) -> "Pipeline":
        """Parses a pipeline's text; the argument of `resize` defaults to `size`.

        Raises:
            UnknownNameError: there is no such step; the message names the nearest three.
            SettingError: the text cannot be parsed, or a step does not accept an argument.

        >>> Pipeline.parse("gray | resize | clahe(3.0)", 224).text
        'gray | resize(224) | clahe(3.0, 8)'
        """
        steps, words, names = [], [], []
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
            arguments = _check_arguments(step, name, arguments)
            steps.append((step, arguments))
            names.append(name)
            shown = ", ".join(repr(argument) for argument in arguments)
            words.append(f"{name}({shown})" if arguments else name)
        return cls(" | ".join(words), not NEED_MASK.isdisjoint(names), tuple(steps))


def _check_arguments(step: Step, name: str, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns all arguments of a step, defaults filled in, validated by their annotations."""
    parameters = list(inspect.signature(step).parameters.values())[1:]
    if len(given) > len(parameters) or any(
        parameter.default is parameter.empty for parameter in parameters[len(given) :]
    ):
        raise SettingError(
            f"A preprocessing step has a wrong number of arguments. Received: {name} with "
            f"{len(given)}. Write {name}({', '.join(parameter.name for parameter in parameters)})."
        )
    checked = []
    for position, parameter in enumerate(parameters):
        value = given[position] if position < len(given) else parameter.default
        try:
            adapter = TypeAdapter(parameter.annotation, config=ConfigDict(strict=True))
            checked.append(adapter.validate_python(value))
        except ValidationError as error:
            raise SettingError(
                f"A preprocessing step does not accept an argument. Received: {name} with "
                f"{parameter.name} = {value!r}. {error.errors()[0]['msg']}."
            ) from error
    return tuple(checked)


def _unreadable(text: str, part: str) -> SettingError:
    return SettingError(
        f"A preprocessing pipeline cannot be parsed. Received: {text!r}, at {part.strip()!r}. "
        f"Write step names with | between them, as in {DEFAULT_PIPELINE!r}; steps are "
        f"{', '.join(STEPS.names())}."
    )
