"""Preprocessing as a pipe of named pure functions: "gray | resize | equalise".

The string is part of the cache's key, so what it says is what the cache holds.
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
    """A parsed pipe string; call it on an image, and its lung mask where a step needs one.

    Attributes:
        text: the string in its one canonical spelling, every argument written out.
        needs_mask: whether a step cannot do without a mask.
    """

    text: str
    needs_mask: bool
    _steps: tuple[tuple[Step, tuple[Any, ...]], ...]

    def __call__(self, image: Image, mask: Image | None = None) -> Image:
        """The image after every step, in order.

        Args:
            image: (H, W) or (H, W, 3) uint8.
            mask: (H, W) uint8, above 0 in the lungs.

        Raises:
            DataError: a step needs a mask and there is none.
        """
        scan = ImageAndMask(image, mask)
        for step, arguments in self._steps:
            scan = step(scan, *arguments)
        return scan.image

    @property
    def steps(self) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        """Each step's name and all its arguments, in order.

        >>> Pipeline.parse("gray | resize", 224).steps
        (('gray', ()), ('resize', (224,)))
        """
        return tuple((step.__name__, arguments) for step, arguments in self._steps)

    @classmethod
    def parse(cls, text: str, size: int) -> "Pipeline":
        """Reads a pipe string; `resize` without an argument takes `size`.

        Raises:
            UnknownNameError: a step has no such name; the nearest three are given.
            SettingError: the string cannot be read, or a step cannot take an argument.

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
            arguments = _checked(step, name, arguments)
            steps.append((step, arguments))
            names.append(name)
            shown = ", ".join(repr(argument) for argument in arguments)
            words.append(f"{name}({shown})" if arguments else name)
        return cls(" | ".join(words), not NEED_MASK.isdisjoint(names), tuple(steps))


def _checked(step: Step, name: str, given: tuple[Any, ...]) -> tuple[Any, ...]:
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
