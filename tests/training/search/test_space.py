"""Spaces are read from TOML; invalid entries are refused before anything is trained."""

from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.errors import CxrError, SettingError, UnknownNameError
from kagglecxr.models.model_card import MODELS
from kagglecxr.models.zoo import list_models
from kagglecxr.training.features.frozen_features import uses_frozen_features
from kagglecxr.training.recipe import load_recipe, make_recipe, recipe_names
from kagglecxr.training.search.space import Range, load_space, make_space, space_names
from kagglecxr.training.search.study import to_distributions

SMALL = make_recipe({}, ["epochs=2", "model_options.width=4"])


list_models()
# A model that looks through a U-Net asks for the weights of one, whatever varies.
RECIPES = [
    name
    for name in recipe_names()
    if not MODELS[load_recipe(name).model].lungs_layer and load_recipe(name).linear is None
]


MASKS = "lungs"
"""The space of recipes of masks."""


def _learns_masks(recipe: str) -> bool:
    return load_recipe(recipe).segmentation is not None


@pytest.mark.parametrize(
    ("recipe", "name"),
    [(r, s) for r in RECIPES for s in space_names() if (s == MASKS) == _learns_masks(r)],
)
def test_every_space_of_the_package_fits_every_recipe(recipe: str, name: str) -> None:
    base = load_recipe(recipe)
    space = load_space(name)
    space.check(base)
    assert space.recipe(base, space.initial_parameters(base)) == base


def test_a_classifier_without_epochs_is_refused() -> None:
    with pytest.raises(SettingError, match=r"nothing to search. Received: a recipe of mobilenet"):
        load_space("cpu").check(load_recipe("features"))


@pytest.mark.parametrize(("recipe", "name"), [("cpu", MASKS), ("lungs", "models")])
def test_a_space_of_the_other_task_is_refused(recipe: str, name: str) -> None:
    with pytest.raises(CxrError, match=r"no loss of that name|cannot segment"):
        load_space(name).check(load_recipe(recipe))


@pytest.mark.parametrize("recipe", ["cpu", "cpu_scratch", "demo"])
def test_the_default_space_starts_from_the_whole_recipe(recipe: str) -> None:
    space = load_space("cpu")
    assert set(space.initial_parameters(load_recipe(recipe))) == set(space.entries)


@pytest.mark.parametrize("seed", range(5))
def test_every_trial_of_the_space_head_learns_on_features(seed: int) -> None:
    space = load_space("head")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    chosen = space.recipe(load_recipe("cpu"), study.ask(to_distributions(space)).params)
    assert uses_frozen_features(chosen)


def test_a_file_names_ranges_and_choices_by_dotted_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        "learning_rate = {low = 1e-4, high = 1e-2, log = true}\n"
        'model = ["cnn_small", "mobilenet"]\n'
        "augmentation.rotation = {low = 0, high = 20, step = 5}\n"
        "[model_options]\ndropout = [0.0, 0.5]\n"
    )
    space = load_space(str(path))
    assert space.entries == {
        "learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "model": ("cnn_small", "mobilenet"),
        "augmentation.rotation": Range(low=0, high=20, step=5),
        "model_options.dropout": (0.0, 0.5),
    }
    chosen = space.recipe(SMALL, {"augmentation.rotation": 15, "model_options.dropout": 0.5})
    assert chosen.augmentation.rotation == 15
    assert chosen.augmentation.hflip == SMALL.augmentation.hflip
    assert chosen.model_options == {"width": 4, "dropout": 0.5}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epoch": [1, 2]}, "epochs"),
        ({"augmentation": {"rotate": {"low": 1, "high": 2}}}, r"augmentation\.rotation"),
        ({"epochs": [2, 0]}, "epochs = 0"),
        ({"epochs": {"low": 0, "high": 3}}, "epochs = 0"),
        ({"epochs": {"low": 1.0, "high": 4.0}}, r"epochs = 2\.11"),
        ({"epochs": {"low": 1.0, "high": 4.0, "step": 0.5}}, r"epochs = 1\.5"),
        ({"warmup": {"low": 0.0, "high": 1.0}}, r"warmup = 1\.0"),
        ({"model": ["cnn_small", "cnn_smal"]}, "'cnn_smal'.*cnn_small"),
        ({"model": ["unet_bn"]}, "U-Net"),
    ],
)
def test_what_no_recipe_can_take_is_named(values: dict[str, object], words: str) -> None:
    with pytest.raises((SettingError, UnknownNameError), match=words):
        make_space(values).check(SMALL)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"low": 1}, "high"),
        ({"low": 2, "high": 1}, "low is below high"),
        ({"low": 0, "high": 1, "log": True}, "above 0"),
        ({"low": 1, "high": 8, "log": True, "step": 2}, "exclude"),
        ({"low": 1, "high": 8, "step": 0}, "step is above 0"),
        ({"low": 1, "high": 8, "step": 2}, "whole number of steps"),
        ({"low": 1, "high": 8, "step": 0.5}, "step is whole"),
        ({"low": 1, "high": 8, "steps": 1}, "nearest.*step"),
        ({"low": "1", "high": 8}, "'1'"),
        ({"low": 0.0, "high": float("inf")}, "inf"),
        ([], "Name some"),
        ([[1], [2]], r"\[\[1\], \[2\]\]"),
        (3, "low = 1, high = 8"),
    ],
)
def test_an_entry_that_is_no_range_and_no_choices_is_named(entry: object, words: str) -> None:
    with pytest.raises(SettingError, match=f"epochs.*{words}"):
        make_space({"epochs": entry})


def test_what_is_no_toml_or_no_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs: 4")
    with pytest.raises(SettingError, match=r"mine\.toml"):
        load_space(str(path))
    with pytest.raises(UnknownNameError, match=r"'cup'.*cpu"):
        load_space("cup")


def test_fixed_entries_are_left_out_until_nothing_is_left() -> None:
    space = make_space({"epochs": [1, 2], "batch_size": [16, 32]})
    assert list(space.without(["epochs", "weights"]).entries) == ["batch_size"]
    with pytest.raises(SettingError, match="epochs, batch_size"):
        space.without(["epochs", "batch_size"])


def test_the_start_leaves_out_what_the_space_does_not_hold() -> None:
    space = make_space(
        {
            "epochs": {"low": 5, "high": 9},
            "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "augmentation": {"rotation": {"low": 0, "high": 9, "step": 3}},
            "optimizer": ["adam", "adamw"],
            "model_options": {"dropout": [0.5]},
        }
    )
    assert space.initial_parameters(SMALL) == {"learning_rate": 1e-3, "optimizer": "adamw"}


def test_a_model_without_imagenet_weights_starts_from_chance() -> None:
    base = load_recipe("cpu")
    space = make_space({"model": ["mobilenet", "cnn_small"]})
    small = space.recipe(base, {"model": "cnn_small"})
    assert (small.weights, small.trainable) == ("", "all")
    assert space.recipe(base, {"model": "mobilenet"}).weights == "imagenet"


def test_a_text_with_quotes_and_letters_of_any_alphabet_stays_itself() -> None:
    space = make_space({"weights": ['a "b" \\c\nd', "Röntgen 𝛼"]})
    for text in space.as_json()["weights"]:
        assert space.recipe(SMALL, {"weights": text}).weights == text


@given(
    st.one_of(
        st.tuples(st.integers(-50, 50), st.integers(1, 20), st.integers(1, 5)).map(
            lambda t: Range(low=t[0], high=t[0] + t[1] * t[2], step=t[2])
        ),
        st.tuples(st.floats(1e-6, 1e3), st.floats(1.5, 1e3), st.booleans()).map(
            lambda t: Range(low=t[0], high=t[0] * t[1], log=t[2])
        ),
    ),
    st.integers(0, 99),
)
def test_whatever_is_drawn_lies_in_its_range(entry: Range, seed: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    space = make_space({"epochs": entry.model_dump(exclude_none=True)})
    drawn = study.ask(to_distributions(space)).params["epochs"]
    assert drawn in entry
    assert isinstance(drawn, int) == entry.is_integer()
