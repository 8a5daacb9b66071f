"""What a search may vary: entries of a recipe, each with a range or a list of choices."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import unknown_name_error
from kagglecxr.models.weights.sources import IMAGENET, each_source
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.search.entries import Entry, Range, parse_entry
from kagglecxr.training.search.pipeline_caches import PIPELINE_PARAMETERS
from kagglecxr.training.select_recipe import check_model

SPACES = Path(__file__).parent / "spaces"

Parameters = Mapping[str, Any]
"""A value for each entry of a space."""


@dataclass(frozen=True)
class Space:
    """Entries of a recipe that a search may vary, by their dotted names."""

    entries: Mapping[str, Entry]

    def without(self, names: Sequence[str]) -> "Space":
        """This space but for the entries that are fixed.

        Raises:
            SettingError: nothing is left.
        """
        left = {name: entry for name, entry in self.entries.items() if name not in names}
        if not left:
            raise SettingError(
                f"A space holds nothing to search. Received: {', '.join(self.entries) or 'none'}, "
                f"of which fixed: {', '.join(names) or 'none'}. Let one entry vary."
            )
        return Space(left)

    def recipe(self, base: Recipe, parameters: Parameters) -> Recipe:
        """A recipe with these values laid over it, but for those of the preprocessing.

        A model without ImageNet weights starts from chance where the recipe asks for them.

        Raises:
            SettingError: an entry that a recipe does not have, or a value it cannot take.
        """
        changes = [
            f"{name}={json.dumps(value, ensure_ascii=False)}"
            for name, value in parameters.items()
            if name not in PIPELINE_PARAMETERS
        ]
        recipe = check_model(make_recipe(base.model_dump(), changes))
        if not MODELS[recipe.model].download and IMAGENET in each_source(recipe.weights):
            return recipe.model_copy(update={"weights": "", "trainable": "all", "stages": []})
        return recipe

    def check(self, base: Recipe) -> None:
        """Tries every choice and the ends of every range.

        Raises:
            SettingError, UnknownNameError: a recipe cannot take one of them.
        """
        for name, entry in self.entries.items():
            for value in entry.samples() if isinstance(entry, Range) else entry:
                self.recipe(base, {name: value})

    def start(self, base: Recipe) -> dict[str, Any]:
        """The recipe's own values, of those entries where the space holds them."""
        found = {name: _lookup(base.model_dump(), name) for name in self.entries}
        return {
            name: found[name]
            for name, entry in self.entries.items()
            if (entry.holds(found[name]) if isinstance(entry, Range) else found[name] in entry)
        }

    def as_json(self) -> dict[str, Any]:
        """What names the space."""
        return {
            name: entry.model_dump() if isinstance(entry, Range) else list(entry)
            for name, entry in sorted(self.entries.items())
        }


def space_names() -> list[str]:
    """The spaces the package brings."""
    return sorted(path.stem for path in SPACES.glob("*.toml"))


def load_space(name: str) -> Space:
    """A space by its name or TOML file.

    Raises:
        UnknownNameError: no such space.
        SettingError: the file is not TOML, or an entry is neither a range nor a list of choices.
    """
    named = SPACES / f"{name}.toml"
    path = named if named.is_file() else Path(name)
    if not path.is_file():
        raise unknown_name_error("space or space file", name, space_names())
    try:
        return make_space(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            f"A space is not TOML. Received: {path} ({error}). Mend that line."
        ) from error


def make_space(values: Mapping[str, Any]) -> Space:
    """A validated space from a mapping, nested as TOML nests it.

    Raises:
        SettingError: an entry is neither a range nor a list of choices.

    >>> make_space({"epochs": {"low": 2, "high": 8}}).entries["epochs"].high
    8
    """
    return Space({name: parse_entry(name, value) for name, value in _flatten(values)})


def _flatten(values: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = f"{before}{key}"
        # A range is known by its ends; any other table is a section of the recipe.
        if isinstance(value, dict) and not {"low", "high"} & set(value):
            flat += _flatten(value, f"{name}.")
        else:
            flat.append((name, value))
    return flat


def _lookup(values: Mapping[str, Any], name: str) -> Any:
    first, _, rest = name.partition(".")
    if not rest:
        return values.get(first)
    inner = values.get(first)
    return _lookup(inner, rest) if isinstance(inner, Mapping) else None
