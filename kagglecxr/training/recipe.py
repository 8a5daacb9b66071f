"""A recipe: all that decides a training besides the data and the seed."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import nearest, unknown
from kagglecxr.data.batches.augmentation import Augmentation
from kagglecxr.data.batches.sampling import Sampling

RECIPES = Path(__file__).parent / "recipes"


class Recipe(BaseModel):
    """How a model is built and trained.

    Attributes:
        model: the zoo's name.
        model_options: what the model or its head takes besides, as dropout.
        weights: "imagenet", a file, a folder, a run's folder or a Kaggle Models handle, or a list
            of these to be loaded in turn; none where empty.
        trainable: "all", "head", "last_conv", "last_2_conv", or the first layer that learns.
        batch_norm: "frozen", "re-estimated", a momentum, or as the model has it where None.
        epochs: passes over the training folds, as long as the sampling makes them.
        batch_size: images a step.
        sampling: how unequal class counts are met; see `kagglecxr.data.batches.sampling.make_plan`.
        optimizer: by its Keras name.
        learning_rate: the highest rate; reached after the warm-up, then falling as a cosine.
        warmup: share of all steps during which the rate rises.
        weight_decay: decoupled, for AdamW.
        loss: "cross_entropy", "binary_cross_entropy" or "focal".
        focal_gamma: how little the focal loss counts images that are right already.
        label_smoothing: share of each label spread over all classes.
        augmentation: how training images are changed.
        views: what test-time augmentation looks at.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = "cnn_small"
    model_options: dict[str, Any] = {}
    weights: str | list[str] = ""
    trainable: str = "all"
    batch_norm: Literal["frozen", "re-estimated"] | float | None = None
    epochs: int = Field(10, ge=1)
    batch_size: int = Field(32, ge=1)
    sampling: Sampling = "balanced"
    optimizer: Literal["adamw", "adam", "adamax", "adagrad", "sgd"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    weight_decay: float = Field(1e-2, ge=0)
    loss: Literal["cross_entropy", "binary_cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: float = Field(2.0, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    augmentation: Augmentation = Augmentation()
    views: list[str] = ["as_is", "mirrored"]


def recipe_names() -> list[str]:
    """The recipes the package brings."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """A recipe by its name or file, with `key=value` changes laid over it.

    Args:
        name: a recipe the package brings, or a TOML file's path.
        changes: as "epochs=3" or "augmentation.rotation=20"; values are TOML, or plain text.

    Raises:
        UnknownNameError: no such recipe.
        SettingError: an entry that a recipe does not have, or a value it cannot take.
    """
    named = RECIPES / f"{name}.toml"
    path = named if named.is_file() else Path(name)
    if not path.is_file():
        raise unknown("recipe or recipe file", name, recipe_names())
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            f"A recipe is not TOML. Received: {path} ({error}). Mend that line."
        ) from error
    return make_recipe(values, changes)


def make_recipe(values: dict[str, Any], changes: Sequence[str] = ()) -> Recipe:
    """A validated recipe from a mapping and `key=value` changes.

    Raises:
        SettingError: an entry that a recipe does not have, or a value it cannot take.

    >>> make_recipe({}, ["epochs=3", "model=mobilenet"]).epochs
    3
    """
    values = dict(values)
    for change in changes:
        _lay_over(values, change)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingError(
            f"A recipe's entry is not valid. Received: {key} = {first['input']!r} "
            f"({first['msg']}). {_advice(key, first['type'])}"
        ) from error


def _advice(key: str, kind: str) -> str:
    fields = [*Recipe.model_fields, *(f"augmentation.{k}" for k in Augmentation.model_fields)]
    if kind == "extra_forbidden":
        return f"The nearest entries are {', '.join(nearest(key, fields))}."
    return "Use a value it can take."


def _lay_over(values: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key.strip():
        raise SettingError(
            f"A change to a recipe is key=value. Received: {change!r}. Write, for example, "
            "epochs=3."
        )
    *sections, last = key.strip().split(".")
    for section in sections:
        inner = values.get(section, {})
        values[section] = dict(inner) if isinstance(inner, dict) else {}
        values = values[section]
    try:
        values[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        values[last] = text
