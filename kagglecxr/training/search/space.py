"""The search space: entries of a recipe, each with a range or a list of choices."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import nearest, unknown_name_error
from kagglecxr.models.weights.sources import IMAGENET, each_source
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.select_recipe import check_model

SPACES = Path(__file__).parent / "spaces"
PIPELINE, SIZE = "pipeline", "size"
"""Entries that are not a recipe's: they choose the cache of images that a trial is trained on."""

Number = StrictInt | StrictFloat
Choice = StrictBool | StrictInt | StrictFloat | StrictStr


class Range(BaseModel):
    """Numbers from `low` to `high`, both included; integers if both are integers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    @model_validator(mode="after")
    def _check(self) -> "Range":
        if not self.low < self.high:
            raise ValueError("low is below high")
        if self.log and self.low <= 0:
            raise ValueError("low is above 0 where log is true")
        if self.step is None:
            return self
        if self.log:
            raise ValueError("log and step exclude each other")
        if self.step <= 0:
            raise ValueError("step is above 0")
        if self.is_integer() and not isinstance(self.step, int):
            raise ValueError("step is whole where low and high are")
        if not self._is_on_step(self.high):
            raise ValueError("high is a whole number of steps above low")
        return self

    def is_integer(self) -> bool:
        """Returns whether the range holds integers alone."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __contains__(self, value: object) -> bool:
        return (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and self.low <= value <= self.high
            and (float(value).is_integer() or not self.is_integer())
            and self._is_on_step(value)
        )

    def _is_on_step(self, value: float) -> bool:
        # Decimals, since 0.3 is no multiple of 0.1 in binary.
        low, step = Decimal(str(self.low)), Decimal(str(self.step or 0))
        return not step or (Decimal(str(value)) - low) % step == 0

    def probe_values(self) -> list[int | float]:
        """Values by which a recipe's validation of the range can be tested."""
        between = self.low + (self.step or (self.high - self.low) * 0.37)
        return [self.low, self.high] if self.is_integer() else [self.low, between, self.high]


Entry = Range | tuple[Choice, ...]
Parameters = Mapping[str, Any]
"""A value for each entry of a space."""


@dataclass(frozen=True)
class Space:
    """What a search may vary: entries by their dotted names in a recipe."""

    entries: Mapping[str, Entry]

    def without(self, names: Sequence[str]) -> "Space":
        """Removes entries that are fixed.

        Raises:
            SettingError: No entry is left.
        """
        left = {name: entry for name, entry in self.entries.items() if name not in names}
        if not left:
            raise SettingError(
                f"A space holds nothing to search. Received: {', '.join(self.entries) or 'none'}, "
                f"of which fixed: {', '.join(names) or 'none'}. Let one entry vary."
            )
        return Space(left)

    def recipe(self, base: Recipe, parameters: Parameters) -> Recipe:
        """Returns the recipe with these values, those of the preprocessing left out.

        A model without ImageNet weights is trained from scratch if the recipe asks for them.

        Raises:
            SettingError: A recipe has no such entry, or the entry cannot take the value.
        """
        changes = [
            f"{name}={json.dumps(value, ensure_ascii=False)}"
            for name, value in parameters.items()
            if name not in (PIPELINE, SIZE)
        ]
        recipe = check_model(make_recipe(base.model_dump(), changes))
        if not MODELS[recipe.model].download and IMAGENET in each_source(recipe.weights):
            return recipe.model_copy(update={"weights": "", "trainable": "all", "stages": []})
        return recipe

    def check(self, base: Recipe) -> None:
        """Makes a recipe of every choice and of the ends of every range.

        Raises:
            SettingError, UnknownNameError: A recipe cannot take one of them.
        """
        if base.linear is not None:
            raise SettingError(
                f"A linear classifier learns in no epochs, so that there is nothing to search. "
                f"Received: a recipe of {base.model} with [linear]. Use another, as --recipe cpu."
            )
        for name, entry in self.entries.items():
            for value in entry.probe_values() if isinstance(entry, Range) else entry:
                self.recipe(base, {name: value})

    def initial_parameters(self, base: Recipe) -> dict[str, Any]:
        """Returns the values that the recipe has now, for those entries that contain them."""
        values = {name: _lookup(base.model_dump(), name) for name in self.entries}
        return {name: values[name] for name, entry in self.entries.items() if values[name] in entry}

    def as_json(self) -> dict[str, Any]:
        """Returns the space as JSON values, sorted by name."""
        return {
            name: entry.model_dump() if isinstance(entry, Range) else list(entry)
            for name, entry in sorted(self.entries.items())
        }


def space_names() -> list[str]:
    """Returns the names of the package's spaces."""
    return sorted(path.stem for path in SPACES.glob("*.toml"))


def load_space(name: str) -> Space:
    """Loads a space by its name or from a TOML file.

    Raises:
        UnknownNameError: There is no such space.
        SettingError: The file is not TOML, or an entry is neither a range nor a list of choices.
    """
    named = SPACES / f"{name}.toml"
    path = named if named.is_file() else Path(name)
    if not path.is_file():
        raise unknown_name_error("space or space file", name, space_names())
    try:
        return make_space(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            f"A space is not TOML. Received: {path} ({error}). Correct that line."
        ) from error


def make_space(values: Mapping[str, Any]) -> Space:
    """Makes a space from a mapping that is nested as in TOML.

    Raises:
        SettingError: An entry is neither a range nor a list of choices.

    >>> make_space({"epochs": {"low": 2, "high": 8}}).entries["epochs"].high
    8
    """
    return Space({name: _parse_entry(name, value) for name, value in _flatten(values)})


def _flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        # A table with an end of a range is one; any other is a section of the recipe.
        if isinstance(value, dict) and not {"low", "high"} & set(value):
            flat += _flatten(value, f"{name}.")
        else:
            flat.append((name, value))
    return flat


def _lookup(values: Any, name: str) -> Any:
    for part in name.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _parse_entry(name: str, value: object) -> Entry:
    try:
        if isinstance(value, dict):
            return Range.model_validate(value)
        choices: tuple[Choice, ...] = TypeAdapter(tuple[Choice, ...]).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        advice = "Write a range as {low = 1, high = 8} or a list of choices."
        if first["type"] == "extra_forbidden":
            near = nearest(str(first["loc"][-1]), Range.model_fields)
            advice = f"The nearest words of a range are {', '.join(near)}."
        raise SettingError(
            f"An entry of a space is not valid. Received: {name} = {value!r} ({first['msg']}). "
            f"{advice}"
        ) from error
    if not choices:
        raise SettingError(
            f"An entry of a space holds no choice. Received: {name} = []. Name some, or leave the "
            "entry out."
        )
    return tuple(dict.fromkeys(choices))
