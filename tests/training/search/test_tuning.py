"""A search from end to end: it finds a recipe, and continues after kill -9."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import pandas as pd
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.models.model_card import MODELS
from kagglecxr.models.zoo import list_models
from kagglecxr.training.recipe import Recipe, load_recipe, make_recipe
from kagglecxr.training.search.space import load_space, make_space
from kagglecxr.training.search.study_storage import open_storage
from kagglecxr.training.search.trial_process import TrialResult, TrialSpec, WarmProcess
from kagglecxr.training.search.tuning import study_name, tune_recipe, with_available_models
from kagglecxr.training.training_options import SearchBudget
from tests.conftest import PreparedDemo, prepare_demo
from tests.training.search.conftest import SPACE, FakeTrial, never

SMALL = make_recipe(
    {}, ["epochs=1", "steps=2", "model_options.width=4", "batch_size=16", "optimizer=sgd"]
)
TUNE = [
    sys.executable, "-m", "kagglecxr.tune", "demo", "--work", "work", "--recipe", "cpu_scratch",
    "--set", "epochs=3", "--set", "model_options.width=4", "--space", "space.toml", "--trials", "2",
]  # fmt: skip


def test_a_recipe_is_tried_in_a_process_of_its_own_and_only_once(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path, "demo")
    # The trial's own process reads the workspace again.
    for path in demo.workspace.root.iterdir():
        (tmp_path / path.name).symlink_to(path)
    specs: list[TrialSpec] = []

    def launch(spec: TrialSpec) -> WarmProcess:
        specs.append(spec)
        return WarmProcess().train(spec)

    for _ in range(2):
        result = tune_recipe(
            "demo", demo.prepared, workspace, SMALL, SPACE, SearchBudget(trials=1), launch, Silent()
        )
        assert result.recipe == SMALL
        assert result.trials["state"].tolist() == ["finished"]
        assert 0 <= result.score <= 1
    (spec,) = specs
    assert not (spec.folder / "log.txt").read_text().count("Traceback")


def test_a_search_for_something_else_is_another_study(demo: PreparedDemo) -> None:
    other = make_space({"batch_size": [16, 32]})
    names = {
        study_name(demo.prepared, recipe, space, folds, seed)
        for recipe in (SMALL, make_recipe({}))
        for space in (SPACE, other)
        for folds in (1, 2)
        for seed in (0, 1)
    }
    assert len(names) == 16


@pytest.mark.parametrize("url", [None, "sqlite:///{}/shared.db"])
def test_a_search_is_the_same_whether_it_was_cut_in_two_or_not(
    demo: PreparedDemo, tmp_path: Path, url: str | None
) -> None:
    tried: list[list[Recipe]] = []
    for calls in ([4], [2, 4]):
        root = tmp_path / str(len(calls))
        root.mkdir()
        recipes: list[Recipe] = []

        def launch(spec: TrialSpec, recipes: list[Recipe] = recipes) -> FakeTrial:
            recipes.append(spec.recipe)
            return FakeTrial(TrialResult("finished", spec.recipe.learning_rate))

        for trials in calls:
            budget = SearchBudget(trials, storage=url and url.format(root))
            result = tune_recipe(
                "demo", demo.prepared, Workspace(root, "demo"), SMALL, SPACE, budget, launch,
                Silent(),
            )  # fmt: skip
        tried.append(recipes)
        assert result.recipe.learning_rate == result.score
    assert tried[0] == tried[1]
    assert tried[0][0] == SMALL


def test_an_invalid_space_is_refused_before_a_study_is_created(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match="epoch"):
        tune_recipe(
            "demo", demo.prepared, Workspace(tmp_path, "demo"), SMALL,
            make_space({"epoch": [1, 2]}), SearchBudget(), never, Silent(),
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def _kill_when(folder: Path, what: str) -> None:
    process = subprocess.Popen(TUNE, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 240
    while not list(folder.glob(what)):
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def _play(folder: Path) -> str:
    done = subprocess.run(TUNE, cwd=folder, check=True, capture_output=True, text=True, timeout=300)
    return done.stdout


def _trials(folder: Path) -> pd.DataFrame:
    (path,) = folder.glob("work/studies/*/trials.csv")
    return pd.read_csv(path)


@pytest.mark.slow
def test_a_search_killed_in_a_trial_ends_as_if_it_had_not_been(
    demo_images: Path, tmp_path: Path
) -> None:
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    for folder in (killed, straight):
        prepare_demo(demo_images, folder / "work")
        (folder / "space.toml").write_text("learning_rate = {low = 1e-3, high = 1e-2, log = true}")
    _play(straight)
    _kill_when(killed, "work/studies/*/trials/*/fold-0/**/resume.json")
    _kill_when(killed, "work/studies/*/trials/*/fold-0/fold.json")
    output = _play(killed)
    one, other = _trials(killed), _trials(straight)
    for column in ("score", "epochs", "run", "learning_rate", "state"):
        assert one[column].tolist() == other[column].tolist()
    (path,) = killed.glob("work/recipes/*.toml")
    assert f"Next: python -m kagglecxr.train demo --recipe {path.relative_to(killed)}" in output
    assert load_recipe(str(path)).epochs == 3
    (journal,) = killed.glob("work/studies/*/journal.log")
    (summary,) = optuna.get_all_study_summaries(open_storage(str(journal)))
    assert summary.n_trials > 2
    before = journal.read_bytes()
    _play(killed)
    assert journal.read_bytes().startswith(before)
    assert len(_trials(killed)) == 2


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
