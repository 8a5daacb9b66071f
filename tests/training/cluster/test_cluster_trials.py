"""Trials on other machines report to the study of the command, and end as trials here do."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from kagglecxr.core.run_record import WEIGHTS, RunRecord
from kagglecxr.core.workspace import Workspace
from kagglecxr.training.cluster.cluster_trials import ClusterTrial, RayTrialStarter, weight_files
from kagglecxr.training.cluster.file_bundle import read_folder
from kagglecxr.training.cluster.task_messages import TaskResult
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.search.study import open_study
from kagglecxr.training.search.trial_process import TrialResult, TrialSpec
from tests.conftest import PreparedDemo
from tests.training.cluster.conftest import FakeCluster, FakeTask, died
from tests.training.search.conftest import DISTRIBUTIONS

SMALL = make_recipe({}, ["epochs=1", "model_options.width=4"])


def make_job(demo: PreparedDemo, folder: Path, *, weights: str = "") -> TrialSpec:
    recipe = {**SMALL.model_dump(mode="json"), "weights": weights}
    return TrialSpec(
        competition="demo", work=str(demo.workspace.root), study="one",
        storage=str(folder / "journal.log"), number=0, recipe=recipe,
        folder=str(folder / "trials" / "cnn_small-1"), folds=1, seed=0,
    )  # fmt: skip


def test_a_trial_reports_to_the_studys_file_and_brings_its_files_home(
    demo: PreparedDemo, tmp_path: Path, as_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(demo, tmp_path)
    study = open_study("one", job.storage, maximise=True, seed=0)
    study.ask(DISTRIBUTIONS)
    desk = "kagglecxr.training.cluster.cluster_trials.StudyActor.report"

    machine: Any = FakeCluster()
    with monkeypatch.context() as patch:
        patch.setattr("kagglecxr.training.cluster.cluster_trials.fetch", lambda answer: answer)
        patch.setattr(desk, _as_remote(desk))
        outcome = RayTrialStarter(machine, demo.workspace)(job).outcome()
    assert outcome is not None
    assert outcome.state == "finished", outcome.error
    kept = study.get_trials()[0].intermediate_values
    assert list(kept) == [1]
    assert {"fold-0/fold.json", "fold-0/validation.npz"} <= read_folder(Path(job.folder)).keys()
    assert not list(as_machine.rglob("*/trials/*/fold-0"))


def _as_remote(name: str) -> Any:
    """A method that is called as Ray's are: `report.remote(...)`."""
    from kagglecxr.training.cluster.cluster_trials import StudyActor

    whole = StudyActor.report

    class Remote:
        def __get__(self, desk: Any, kind: Any) -> Any:
            class Bound:
                @staticmethod
                def remote(*told: Any) -> bool:
                    return whole(desk, *told)

            return Bound

    return Remote()


def test_a_trial_whose_weights_are_missing_has_failed(demo: PreparedDemo, tmp_path: Path) -> None:
    machine: Any = FakeCluster()
    process = RayTrialStarter(machine, demo.workspace)(make_job(demo, tmp_path, weights="none.h5"))
    outcome = process.outcome()
    assert outcome is not None
    assert outcome.state == "failed"
    assert "none.h5" in outcome.error
    assert machine.begun == []


@pytest.mark.parametrize(
    ("say", "state", "words"),
    [
        (died, "died", "machine died"),
        (lambda task: TaskResult("box", error="No room."), "failed", "on box: No room."),
    ],
)
def test_a_trial_that_fails_says_where(say: Any, state: str, words: str, tmp_path: Path) -> None:
    task: Any = FakeTask(lambda: say(None))
    outcome = ClusterTrial(task, tmp_path).outcome()
    assert outcome is not None
    assert outcome.state == state
    assert words in outcome.error


def test_a_pruned_trial_comes_home_without_files(tmp_path: Path) -> None:
    task: Any = FakeTask(lambda: TaskResult("box", answer={"state": "pruned"}))
    trial = ClusterTrial(task, tmp_path / "trial")
    assert trial.outcome() == TrialResult("pruned")
    trial.stop()
    assert task.stopped


def test_a_run_to_start_from_travels_with_the_index_of_its_workspace(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "old"
    RunRecord(
        name="old", competition="demo", model="cnn_small", recipe={}, seed=0, folds=2,
        targets=["a", "b"], input_shape=(8, 8, 1), data={"index": "", "folds": ""},
        parameters={}, megabytes=0.0, versions={}, machine={}, seconds=[], metrics={},
    ).write(run)  # fmt: skip
    for place in (run / "fold-0", run / "fold-1"):
        place.mkdir()
        (place / WEIGHTS).touch()
    (tmp_path / "index.csv").touch()
    file = tmp_path / "own.weights.h5"
    file.touch()
    files, names = weight_files([str(run), str(file)], "cnn_small", folds=3)
    assert names == ("0/runs/old", "1/own.weights.h5")
    assert set(files) == {
        "0/index.csv", "0/runs/old/run.json", "0/runs/old/fold-0/model.weights.h5",
        "0/runs/old/fold-1/model.weights.h5", "1/own.weights.h5",
    }  # fmt: skip


def test_a_trial_on_images_prepared_otherwise_brings_their_cache(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    other = tmp_path / "work" / "cache" / "other"
    shutil.copytree(demo.workspace.root, tmp_path / "work")
    shutil.copytree(demo.prepared.cache.folder, other)
    workspace = Workspace(tmp_path / "work", "demo")
    machine: Any = FakeCluster()
    start = RayTrialStarter(machine, workspace)
    for key in ("", "other", "other"):
        start(dataclasses.replace(make_job(demo, tmp_path), cache=key))
    plain, one, two = (task.workspace for task in machine.begun)
    assert one is two
    assert set(one.files) - set(plain.files) == {
        "cache/other/cache.json", "cache/other/images.npy", "cache/other/measures.npy",
    }  # fmt: skip
