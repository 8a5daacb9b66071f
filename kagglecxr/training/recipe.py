"""Recipes: all settings of a training besides the data and the seed."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kagglecxr.core.augmentation_settings import AugmentationSettings
from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import nearest, unknown_name_error
from kagglecxr.data.images.pipeline import DEFAULT_PIPELINE, Pipeline
from kagglecxr.data.samplers.sampling import Sampling
from kagglecxr.data.sequences.augmentation import Augmentation

RECIPES = Path(__file__).parent / "recipes"

UnitInterval = Annotated[float, Field(ge=0, le=1)]

_NO_CHANGE = {
    name: 0.0
    for name, field in AugmentationSettings.model_fields.items()
    if name != "hflip" and field.annotation is float
}


class Stage(BaseModel):
    """A stage of a training before the last one, as of the head alone.

    Attributes:
        epochs: of this stage alone.
        trainable: which layers learn, as the recipe's.
        learning_rate: the peak rate; the stage has a warm-up and a decay of its own.
        augmented: whether images are augmented as the recipe says; else they are flipped at most,
            and the head of a frozen backbone learns from features that are computed once.
        side: pixels to which a backbone resizes its images in this stage; None for the recipe's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(5, ge=1)
    trainable: str = "head"
    learning_rate: float = Field(1e-3, gt=0)
    augmented: bool = True
    side: int | None = Field(None, ge=32)


class SegmentationSettings(BaseModel):
    """The images that a segmentation is trained on, whatever those of a competition's classifiers.

    Attributes:
        size: height and width in pixels.
        pipeline: the preprocessing; masks are moved and resized as their images.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(224, ge=16, le=4096)
    pipeline: str = DEFAULT_PIPELINE

    def preprocessing(self) -> Pipeline:
        """Returns the parsed pipeline.

        Raises:
            SettingError, UnknownNameError: it is not valid.
        """
        return Pipeline.parse(self.pipeline, self.size)


class LinearClassifier(BaseModel):
    """A classifier of scikit-learn's that is fitted to frozen features, in place of epochs.

    Attributes:
        method: a logistic regression, or a linear discriminant analysis with Ledoit and Wolf's
            shrinkage (2004).
        C: the inverse of the penalty of a logistic regression.
        keep: how many values are selected, those that differ most between the classes (analysis of
            variance, on the images that the fold learns from); all where None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["logistic_regression", "lda"] = "logistic_regression"
    C: float = Field(3e-3, gt=0)
    keep: int | None = Field(None, ge=1)


class Recipe(BaseModel):
    """How a model is built and trained; docs/recipes.md shows every setting.

    Attributes:
        model_options: more arguments of the model or its head, as dropout.
        weights: "imagenet", a file, a folder, a run's folder or a Kaggle Models handle, or a list
            of these, which are loaded in turn; random weights where empty.
        trainable: "all", "head", "last_conv", "last_2_conv", or the first layer that learns.
        batch_norm: "frozen", "recalibrated", a momentum, or as the model has it where None.
        stages: the stages before the last one, as of the head alone; the other settings are the
            last stage's.
        steps: batches in an epoch; defaults to as many as the sampling makes of the training folds.
        sampling: how class imbalance is handled; see `kagglecxr.data.samplers.sampling`.
        balance: how balanced the first and the last epoch of "progressive" sampling are.
        learning_rate: the peak rate, which is reached after the warm-up.
        layer_decay: the factor of the rate from one convolution or dense layer to the one before
            it, starting at the last.
        schedule: what follows the warm-up: "cosine" decays to a hundredth, "constant" stays, and
            "plateau" multiplies the rate by `plateau_factor` after `plateau_patience` epochs
            without a lower validation loss; it has no warm-up.
        warmup: the share of all steps during which the rate rises.
        ema: momentum of the exponential moving average of the weights, which predicts in their
            place; no average where 0.
        patience: epochs without a lower validation loss after which a stage stops, with the weights
            of the best; it never stops early where None.
        best_epochs: the final weights are the mean of so many epochs of lowest validation loss;
            those of the last epoch where 0.
        label_smoothing: the share of each label that is spread over all classes.
        linear: the classifier that the head is; None where it learns in epochs.
        segmentation: lung masks are learned, from images of this size; None for classification.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = "cnn_small"
    model_options: dict[str, Any] = {}
    weights: str | list[str] = ""
    trainable: str = "all"
    batch_norm: Literal["frozen", "recalibrated"] | float | None = None
    stages: list[Stage] = []
    epochs: int = Field(10, ge=1)
    steps: int | None = Field(None, ge=1)
    batch_size: int = Field(32, ge=1)
    sampling: Sampling = "balanced"
    balance: tuple[UnitInterval, UnitInterval] = (0.0, 1.0)
    optimizer: Literal["adamw", "adam", "adamax", "adagrad", "sgd"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0)
    layer_decay: float = Field(1.0, gt=0, le=1)
    schedule: Literal["cosine", "constant", "plateau"] = "cosine"
    plateau_factor: float = Field(0.5, gt=0, lt=1)
    plateau_patience: int = Field(3, ge=1)
    warmup: float = Field(0.1, ge=0, lt=1)
    weight_decay: float = Field(1e-2, ge=0)
    ema: float = Field(0.0, ge=0, lt=1)
    patience: int | None = Field(None, ge=1)
    best_epochs: int = Field(0, ge=0)
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    loss: str = "cross_entropy"
    focal_gamma: float = Field(2.0, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    augmentation: Augmentation = Augmentation()
    views: list[str] = ["identity", "hflip"]
    linear: LinearClassifier | None = None
    segmentation: SegmentationSettings | None = None

    def in_stages(self) -> list["Recipe"]:
        """One recipe for each stage in their order, each without stages."""
        last = self.model_copy(update={"stages": []})
        still = Augmentation(hflip=self.augmentation.hflip, **_NO_CHANGE)
        recipes = []
        for stage in self.stages:
            changes = stage.model_dump(exclude={"augmented", "side"})
            if not stage.augmented:
                changes["augmentation"] = still
            if stage.side:
                changes["model_options"] = self.model_options | {"side": stage.side}
            recipes.append(last.model_copy(update=changes))
        return [*recipes, last]


def recipe_names() -> list[str]:
    """The names of the recipes in the package."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """Loads a recipe of the package or a TOML file, with changes as "augmentation.rotation=20".

    Raises:
        UnknownNameError: no such recipe.
        SettingError: a setting that a recipe does not have, or a value that is not valid.
    """
    named = RECIPES / f"{name}.toml"
    path = named if named.is_file() else Path(name)
    if not path.is_file():
        raise unknown_name_error("recipe or recipe file", name, recipe_names())
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            f"A recipe is not TOML. Received: {path} ({error}). Correct that line."
        ) from error
    return make_recipe(values, changes)


def make_recipe(values: dict[str, Any], changes: Sequence[str] = ()) -> Recipe:
    """Makes a validated recipe of a mapping and `key=value` changes.

    Raises:
        SettingError: a setting that a recipe does not have, or a value that is not valid.

    >>> make_recipe({}, ["epochs=3", "model=mobilenet"]).epochs
    3
    """
    values = dict(values)
    for change in changes:
        _apply_change(values, change)
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
    fields = [
        *Recipe.model_fields,
        *(f"augmentation.{k}" for k in Augmentation.model_fields),
        *(f"stages.{k}" for k in Stage.model_fields),
        *(f"linear.{k}" for k in LinearClassifier.model_fields),
        *(f"segmentation.{k}" for k in SegmentationSettings.model_fields),
    ]
    if kind == "extra_forbidden":
        return f"The nearest entries are {', '.join(nearest(key, fields))}."
    return "Use a value it can take."


def _apply_change(values: dict[str, Any], change: str) -> None:
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
