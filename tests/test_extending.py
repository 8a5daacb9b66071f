"""What docs/extending.md says: one place each, and each way shown by adding one."""

import csv
import importlib
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from keras import KerasTensor, layers, ops
from pydantic import Field

import kagglecxr
from kagglecxr import __main__ as command_line
from kagglecxr.core.cli import CommonOptions
from kagglecxr.core.errors import UnknownNameError
from kagglecxr.core.metrics import METRICS, Labels, Metric
from kagglecxr.core.registry import Registry
from kagglecxr.data import competition
from kagglecxr.data.competition import load_competition
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.images.steps import STEPS, _image_step
from kagglecxr.data.samplers.sampling import SAMPLINGS, make_sampler
from kagglecxr.data.sequences.augmentation import CUSTOM_AUGMENTATIONS
from kagglecxr.ensembling.blend_selection import choose_blend
from kagglecxr.ensembling.blenders import BLENDERS
from kagglecxr.ensembling.blends import Runs, WeightedBlend, single_blend
from kagglecxr.inference.tta import VIEWS, View
from kagglecxr.leaderboard.baselines import BASELINES, baseline_predictions
from kagglecxr.models import create_model, list_models
from kagglecxr.models.losses import LOSSES, make_loss
from kagglecxr.models.model_card import MODELS, model_card, read_backbones
from kagglecxr.models.nets.backbones import register_backbone
from kagglecxr.models.scaling import zero_to_one
from kagglecxr.training import recipe
from kagglecxr.training.recipe import load_recipe
from tests.conftest import PreparedDemo
from tests.ensembling.made_runs import made_out_of_fold

Pixels = npt.NDArray[np.uint8]
DOCUMENT = Path(kagglecxr.__file__).parent.parent / "docs" / "extending.md"
REGISTRIES: tuple[Registry[Any], ...] = (
    BASELINES, BLENDERS, CUSTOM_AUGMENTATIONS, LOSSES, METRICS, MODELS, SAMPLINGS, STEPS, VIEWS,
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))


def test_every_place_that_is_named_is_there() -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    places = [re.search(r"`(kagglecxr/[\w/.]*)`", row) for row in rows[1:]]
    root = DOCUMENT.parent.parent
    paths = [root / found[1] for found in places if found]
    assert len(paths) == 14
    assert all(path.exists() for path in paths if "NAME" not in path.name)


def test_a_backbone_is_a_row_of_the_table() -> None:
    header = read_backbones()[0].keys()
    line = next(row for row in read_backbones() if row["name"] == "mobilenet_025")
    text = ",".join({**line, "name": "my_backbone", "alpha": "0.25"}.values())
    register_backbone(next(csv.DictReader([",".join(header), text])))
    assert list_models("my_*") == ["my_backbone"]
    model = create_model("my_backbone", num_classes=3, input_shape=(32, 32, 1), dropout=0.0)
    assert model.output_shape == (None, 3)


def test_a_net_is_a_function() -> None:
    @model_card("nowhere", 32, "conv", 90)
    def my_net(inputs: KerasTensor) -> KerasTensor:
        x = layers.Conv2D(8, 3, activation="relu", name="conv")(zero_to_one(inputs))
        return layers.GlobalAveragePooling2D(name="pool")(x)

    model = create_model("my_net", num_classes=2, input_shape=(32, 32, 1))
    assert model.predict(np.zeros((1, 32, 32, 1)), verbose=0).shape == (1, 2)
    assert model.get_layer(MODELS["my_net"].gradcam_layer)


def test_a_loss_is_a_function(tmp_path: Path) -> None:
    @LOSSES.add
    def brier(outputs: int, label_smoothing: float, gamma: float) -> keras.Loss:
        return keras.losses.MeanSquaredError()

    assert load_recipe("demo", ["loss=brier"]).loss == "brier"
    loss = make_loss("brier", 2)
    assert float(loss(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))) == 0.25


def test_a_metric_is_an_entry(tmp_path: Path) -> None:
    def worst_recall(truth: npt.NDArray[Any], probabilities: npt.NDArray[Any]) -> float:
        right = probabilities.argmax(axis=1) == truth
        return float(min(right[truth == target].mean() for target in set(truth)))

    METRICS.add_as("worst_recall")(Metric("worst_recall", worst_recall))
    toml = tmp_path / "mine.toml"
    toml.write_text('name = "mine"\n[source]\nkind = "folder"\n[metric]\nname = "worst_recall"\n')
    metric = METRICS[load_competition(str(toml)).metric.name]
    assert metric(np.array([0, 0, 1]), np.eye(2)[[0, 1, 1]]) == 0.5


def test_a_view_is_an_entry() -> None:
    def flip(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return images[:, ::-1]

    class VerticalFlip(layers.Layer):  # type: ignore[misc]
        def call(self, images: KerasTensor) -> KerasTensor:
            return ops.flip(images, axis=1)

    VIEWS.add_as("vflip")(View(flip, VerticalFlip, flip))
    assert load_recipe("demo", ['views=["identity", "vflip"]']).views[1] == "vflip"
    images = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    view = VIEWS["vflip"]
    np.testing.assert_array_equal(view.layer()(images), view.array(images))
    np.testing.assert_array_equal(view.inverse(view.array(images)), images)


def test_an_augmentation_is_a_function() -> None:
    @CUSTOM_AUGMENTATIONS.add
    def darken(image: Pixels, strength: float, random: np.random.Generator) -> Pixels:
        return (image * (1.0 - strength)).astype(np.uint8)

    augmentation = load_recipe("demo", ["augmentation.custom.darken=0.5"]).augmentation
    settings = dict.fromkeys(("rotation", "zoom", "shift", "contrast", "brightness"), 0.0)
    alone = augmentation.model_copy(update=settings)
    images, targets = np.full((2, 8, 8, 1), 100, np.uint8), np.eye(2, dtype=np.float32)
    changed, _ = alone(images, targets, np.random.default_rng(0))
    assert (changed == 50).all()


def test_a_preprocessing_step_is_a_function() -> None:
    @_image_step
    def posterize(image: Pixels, levels: Annotated[int, Field(ge=2, le=256)]) -> Pixels:
        return (image // (256 // levels)) * (256 // levels)

    pipeline = Pipeline.parse("gray | posterize(4) | resize", 8)
    assert set(np.unique(pipeline(np.full((9, 9), 130, np.uint8)))) == {128}


def test_a_sampler_is_a_function() -> None:
    SAMPLINGS.add_as("mine")(SAMPLINGS["natural"])
    assert load_recipe("demo", ["sampling=mine"]).sampling == "mine"
    labels = np.array([0, 0, 1, 1])
    sampler = make_sampler("mine", labels, None, 2, 0)
    natural = make_sampler("natural", labels, None, 2, 0)
    np.testing.assert_array_equal(sampler.order(0), natural.order(0))


@pytest.mark.parametrize(
    ("module", "folder", "text", "load"),
    [
        (
            competition, "PRESETS", 'name = "mine"\n[source]\nkind = "folder"\nslug = "mine"\n',
            lambda: load_competition("mine").source.slug,
        ),
        (recipe, "RECIPES", "epochs = 7\n", lambda: load_recipe("mine").epochs),
    ],
)  # fmt: skip
def test_a_preset_and_a_recipe_are_files(
    module: types.ModuleType, folder: str, text: str, load: Callable[[], object],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with pytest.raises(UnknownNameError):
        load()
    monkeypatch.setattr(module, folder, tmp_path)
    (tmp_path / "mine.toml").write_text(text)
    assert load() in {"mine", 7}


def test_a_blend_is_a_function() -> None:
    @BLENDERS.add
    def first(
        runs: Runs, truth: Labels, metric: Metric, random: np.random.Generator
    ) -> WeightedBlend:
        """The first run alone."""
        return single_blend(len(runs), 0)

    oof = made_out_of_fold((0.5, 1.0), images=60)
    chosen = choose_blend(oof, METRICS["accuracy"], "first", np.random.default_rng(0))
    assert (chosen.method, chosen.blend.used) == ("first", [0])


def test_a_baseline_is_a_function(demo: PreparedDemo) -> None:
    @BASELINES.add_as("uniform")
    def uniform(prepared: Any) -> npt.NDArray[np.float64]:
        shape = (len(prepared.index.rows("test")), len(prepared.competition.targets()))
        return np.full(shape, 1.0 / shape[1])

    assert "uniform" in baseline_predictions(demo.prepared)


def test_a_verb_is_a_module(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def greet(name: str, *, common: CommonOptions = CommonOptions()) -> None:  # noqa: B008
        """Greets.

        Args:
            name: Of a person.
            common: Options of every verb.
        """
        common.finish(f"Hello, {name}.", "a reply")

    module = types.ModuleType("kagglecxr.greet")
    module.greet = greet  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kagglecxr.greet", module)
    monkeypatch.setattr(command_line, "VERBS", (*command_line.VERBS, "greet"))
    monkeypatch.setattr(sys, "argv", ["kagglecxr", "greet", "Ada"])
    with pytest.raises(SystemExit) as left:
        command_line.main()
    assert left.value.code == 0
    assert capsys.readouterr().out == "Hello, Ada. Next: a reply\n"
    assert importlib.import_module("kagglecxr.greet") is module
