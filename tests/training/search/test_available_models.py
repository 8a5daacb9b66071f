"""A model without weights on this machine is left out of a search, with a note."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.models.model_card import MODELS
from kagglecxr.models.zoo import list_models
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.search.available_models import with_available_models
from kagglecxr.training.search.space import load_space, make_space


@dataclass
class Notes(Silent):
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def fine_tuned(tmp_path: Path) -> Recipe:
    """A recipe that starts from a folder with the weights of two models."""
    list_models()
    for name in ("mobilenet", "mobilenet_025"):
        (tmp_path / str(MODELS[name].weights_file)).touch()
    return make_recipe({"model": "mobilenet", "weights": str(tmp_path)})


def test_models_without_weights_on_this_machine_are_left_out(fine_tuned: Recipe) -> None:
    notes = Notes()
    space = make_space({"model": ["mobilenet", "mobilenet_v2"], "epochs": [1, 2]})
    left = with_available_models(space, fine_tuned, notes)
    assert left.entries == {"model": ("mobilenet",), "epochs": (1, 2)}
    (note,) = notes.notes
    assert "mobilenet_v2 is not tried" in note


def test_a_space_of_no_model_at_all_is_refused(fine_tuned: Recipe) -> None:
    with pytest.raises(SettingError, match="mobilenet_v2"):
        with_available_models(make_space({"model": ["mobilenet_v2"]}), fine_tuned, Silent())


def test_from_chance_every_model_is_tried() -> None:
    space = load_space("models")
    assert with_available_models(space, make_recipe({}), Silent()) == space


def test_a_space_of_one_model_stays_as_it_is() -> None:
    space = load_space("cpu")
    recipe = make_recipe({}, ["model=mobilenet", "weights=/nowhere"])
    assert with_available_models(space, recipe, Silent()) is space
