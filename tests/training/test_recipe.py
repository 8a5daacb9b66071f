"""Recipes are validated, and changes on the command line replace their entries."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import SettingError, UnknownNameError
from kagglecxr.inference.tta import VIEWS
from kagglecxr.models import list_models
from kagglecxr.training.recipe import load_recipe, make_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_of_the_package_is_valid(name: str) -> None:
    assert load_recipe(name).epochs >= 1


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_of_the_package_names_models_and_views_that_exist(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.model in list_models()
    assert set(recipe.views) <= set(VIEWS.names())


def test_stages_come_before_the_recipe_and_change_only_what_they_say() -> None:
    recipe = make_recipe(
        {}, ["ema=0.9", "augmentation.hflip=0.3", "stages=[{augmented=false}, {epochs=2}]"]
    )
    still, changed, last = recipe.in_stages()
    assert (still.trainable, still.epochs, still.ema, still.stages) == ("head", 5, 0.9, [])
    assert still.augmentation.hflip == 0.3
    assert not any(still.augmentation.model_dump(exclude={"hflip", "where"}).values())
    assert (changed.epochs, changed.augmentation) == (2, recipe.augmentation)
    assert last == recipe.model_copy(update={"stages": []})


def test_a_stage_may_see_smaller_images() -> None:
    stages = "stages=[{side = 96, trainable = 'all'}, {epochs = 2}]"
    recipe = make_recipe({}, ["model_options.dropout=0.4", "model_options.side=160", stages])
    small, same, last = recipe.in_stages()
    assert small.model_options == {"dropout": 0.4, "side": 96}
    assert same.model_options == last.model_options == {"dropout": 0.4, "side": 160}


def test_changes_are_typed_and_may_go_into_sections() -> None:
    recipe = make_recipe(
        {"epochs": 9},
        ["epochs=3", "augmentation.rotation=20", "weights=/a/b c", "model_options.dropout=0.5"],
    )
    assert recipe.epochs == 3
    assert recipe.augmentation.rotation == 20
    assert recipe.augmentation.zoom == 0.1
    assert recipe.weights == "/a/b c"
    assert recipe.model_options == {"dropout": 0.5}


def test_changes_leave_the_mapping_they_are_laid_over_alone() -> None:
    values = {"augmentation": {"rotation": 5.0}}
    make_recipe(values, ["augmentation.rotation=20"])
    assert values == {"augmentation": {"rotation": 5.0}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("epoch=3", "epochs"),
        ("augmentation.rotate=3", r"augmentation\.rotation"),
        ("epochs=0", "epochs = 0"),
        ("epochs=many", "epochs = 'many'"),
        ("stages=[{epoch=3}]", r"stages\.0\.epoch = 3.*epochs"),
        ("balance=[0, 2]", r"balance\.1 = 2"),
        ("optimizer=adamv", "adamv"),
        ("epochs", "key=value"),
        ("=3", "key=value"),
        ("batch_norm=warm", "warm"),
        ("augmentation.where=gpu", r"augmentation\.where = 'gpu'.*'model'"),
    ],
)
def test_a_bad_change_is_named(change: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        make_recipe({}, [change])


def test_a_file_is_a_recipe_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 4\n[augmentation]\nhflip = 0.0\n")
    recipe = load_recipe(str(path), ["epochs=5"])
    assert (recipe.epochs, recipe.augmentation.hflip) == (5, 0.0)


def test_what_is_no_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs: 4")
    with pytest.raises(SettingError, match=r"mine\.toml"):
        load_recipe(str(path))


def test_an_unknown_recipe_raises_with_the_known_names() -> None:
    with pytest.raises(UnknownNameError, match=r"'cup'.*cpu"):
        load_recipe("cup")


def test_the_settings_of_masks_are_typed_and_checked() -> None:
    assert make_recipe({}).segmentation is None
    recipe = make_recipe({"segmentation": {}}, ["segmentation.size=64"])
    assert recipe.segmentation is not None
    assert recipe.segmentation.preprocessing().text == "gray | resize(64)"
    with pytest.raises(SettingError, match=r"segmentation\.size"):
        make_recipe({}, ["segmentation.size=8"])
    with pytest.raises(SettingError, match=r"nearest.*segmentation\.size"):
        make_recipe({}, ["segmentation.sise=64"])
