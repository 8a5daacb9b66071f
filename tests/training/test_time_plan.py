"""What fits into a time limit is trained, cheapest first, and what does not is told."""

import dataclasses
from pathlib import Path

import pytest

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.errors import MissingError
from kagglecxr.core.workspace import Workspace
from kagglecxr.models.zoo import MODELS
from kagglecxr.training import time_plan
from kagglecxr.training.recipe import Recipe, load_recipe
from kagglecxr.training.run_spec import run_name
from kagglecxr.training.time_costs import EpochCosts
from kagglecxr.training.time_plan import TimePlan, deadline_of_training, leaves_the_choice
from tests.conftest import PreparedDemo
from tests.notes import Notes

Trained = list[Recipe]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The recipes that are trained, in no time: features take 60 s, an epoch 20 s."""
    recipes: Trained = []

    def train(prepared: object, workspace: object, recipe: Recipe, *more: object) -> Path:
        recipes.append(recipe)
        return Path(f"{recipe.model}-{len(recipes)}")

    monkeypatch.setattr(time_plan, "train_run", train)
    monkeypatch.setattr(time_plan, "find_weights", lambda card, source: Path())
    monkeypatch.setattr(time_plan, "has_fast_bfloat16", lambda: False)
    monkeypatch.setattr(time_plan, "input_shape", lambda prepared: (96, 96, 1))
    monkeypatch.setattr(time_plan, "seconds_of_features", lambda task, recipe: 60.0)
    monkeypatch.setattr(time_plan, "select_recipe", lambda *given: load_recipe("cpu_scratch"))
    # Steps alone take time.
    costs = EpochCosts(step=1.0, image=0.0, steps=20, images=100, folds=1, views=2)
    monkeypatch.setattr(time_plan, "epoch_costs", lambda task, recipe: costs)
    return recipes


def plan(demo: PreparedDemo, seconds: float, notes: Notes) -> list[str]:
    deadline = Deadline.within(seconds)
    planned = TimePlan(demo.prepared, demo.workspace, notes, 0, (), deadline)
    return [run.name for run in planned.train()]


def test_with_time_all_are_trained_and_the_tuning_last(
    demo: PreparedDemo, trained: Trained
) -> None:
    runs = plan(demo, 1000, Notes())
    assert runs == ["mobilenet-1", "vgg16-2", "xception-3", "mobilenet-4"]
    assert [recipe.linear is not None for recipe in trained] == [True, True, True, False]
    assert trained[3].epochs == 10
    # Images of the demo are smaller than what VGG16 is given of larger ones.
    assert "side" not in trained[1].model_options


def test_a_tuning_has_as_many_epochs_as_fit(demo: PreparedDemo, trained: Trained) -> None:
    plan(demo, 130, Notes())
    assert trained[-1].linear is None
    assert trained[-1].epochs == 5


@pytest.mark.parametrize(
    ("seconds", "side", "epochs"), [(160, None, 7), (87, 192, 5), (70, 192, 4), (64, 160, 5)]
)
def test_images_are_reduced_no_further_than_they_must(
    demo: PreparedDemo,
    trained: Trained,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    side: int | None,
    epochs: int,
) -> None:
    monkeypatch.setattr(time_plan, "input_shape", lambda prepared: (224, 224, 1))
    monkeypatch.setattr(time_plan, "seconds_of_features", lambda task, recipe: 1e4)
    # Nine tenths of the time are planned.
    plan(demo, seconds, Notes())
    [tuned] = trained
    assert (tuned.model_options.get("side"), tuned.epochs) == (side, epochs)


def test_what_does_not_fit_is_told(demo: PreparedDemo, trained: Trained) -> None:
    notes = Notes()
    # The default is trained as far as it gets.
    assert plan(demo, 66, notes) == ["cnn_small-1"]
    assert "Features of xception are left out: 60 s expected, of 59 s that are left." in " ".join(
        notes.told
    )
    assert "mobilenet is not fine-tuned: 2 epochs of 96 pixels fit into 59 s" in " ".join(
        notes.told
    )


def test_later_ones_are_expected_to_take_as_much_longer_as_the_first(
    demo: PreparedDemo, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 120.0, 120.0, 360.0, 360.0, 600.0, 600.0, 700.0])
    monkeypatch.setattr(time_plan, "monotonic", lambda: next(clock))
    notes = Notes()
    plan(demo, 1000, notes)
    assert "mobilenet-1: 120 s, 60 s were expected." in " ".join(notes.told)
    assert "vgg16-2: 240 s, 120 s were expected." in " ".join(notes.told)
    assert "xception-3: 240 s, 240 s were expected." in " ".join(notes.told)


def test_a_network_for_larger_images_is_left_out(
    demo: PreparedDemo, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = dataclasses.replace(MODELS["xception"], smallest=500)
    monkeypatch.setitem(MODELS._entries, "xception", card)
    notes = Notes()
    plan(demo, 1000, notes)
    assert [recipe.model for recipe in trained] == ["mobilenet", "vgg16", "mobilenet"]
    assert "The recipe features_xception is left out: xception needs 500" in " ".join(notes.told)


def test_missing_weights_leave_a_recipe_out(
    demo: PreparedDemo, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(card: object, source: str) -> Path:
        raise MissingError("The weights are not there.")

    monkeypatch.setattr(time_plan, "find_weights", find)
    notes = Notes()
    assert plan(demo, 1000, notes) == ["cnn_small-1"]
    assert "The recipe features is left out: The weights are not there." in " ".join(notes.told)


def test_the_cheapest_features_come_first(
    demo: PreparedDemo, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"mobilenet": 60.0, "vgg16": 90.0, "xception": 30.0}
    monkeypatch.setattr(time_plan, "seconds_of_features", lambda _, recipe: seconds[recipe.model])
    assert plan(demo, 1000, Notes())[:3] == ["xception-1", "mobilenet-2", "vgg16-3"]


@pytest.mark.parametrize("fast", [True, False])
def test_features_are_computed_in_bfloat16_where_that_is_fast(
    demo: PreparedDemo, trained: Trained, monkeypatch: pytest.MonkeyPatch, fast: bool
) -> None:
    monkeypatch.setattr(time_plan, "has_fast_bfloat16", lambda: fast)
    plan(demo, 1000, Notes())
    precision = "mixed_bfloat16" if fast else "float32"
    precisions = ["float32", precision, precision, "float32"]
    assert [recipe.precision for recipe in trained] == precisions


def test_what_is_finished_is_taken_and_not_measured(
    demo: PreparedDemo, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def seconds(task: object, recipe: Recipe) -> float:
        measured.append(recipe.model)
        return 60.0

    monkeypatch.setattr(time_plan, "seconds_of_features", seconds)
    monkeypatch.setattr(TimePlan, "_is_finished", lambda _, recipe: recipe.model == "xception")
    notes = Notes()
    # What the finished one took now has no part in what others are expected to take.
    assert plan(demo, 100, notes)[:2] == ["xception-1", "mobilenet-2"]
    assert measured == ["mobilenet", "vgg16"]
    assert "mobilenet-2: 0 s, 60 s were expected." in notes.told


def test_a_run_is_finished_where_its_record_is(demo: PreparedDemo, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, demo.workspace.competition)
    planned = TimePlan(demo.prepared, workspace, Notes(), 0, (), Deadline.within(1))
    recipe, folds = load_recipe("features"), int(demo.prepared.fold.max()) + 1
    record = workspace.runs / run_name(demo.prepared, recipe, folds, 0) / "run.json"
    assert not planned._is_finished(recipe)
    record.parent.mkdir(parents=True)
    record.touch()
    assert planned._is_finished(recipe)
    assert not planned._is_finished(load_recipe("features_vgg16"))


def test_the_choice_is_left_where_nothing_but_a_folder_of_weights_is_said(tmp_path: Path) -> None:
    assert leaves_the_choice(None, None, ())
    assert leaves_the_choice(None, None, [f"weights={tmp_path}"])
    assert not leaves_the_choice(None, None, [f"weights={tmp_path / 'net.h5'}"])
    assert not leaves_the_choice(None, None, ["epochs=3"])
    assert not leaves_the_choice("cpu", None, ())
    assert not leaves_the_choice(None, "mobilenet", ())


@pytest.mark.parametrize(("timeout", "left"), [(100, 85), (300, 255), (3600, 3555)])
def test_time_is_left_for_pages(timeout: float, left: float) -> None:
    assert deadline_of_training(timeout).left() == pytest.approx(left, abs=1)
