"""Trials on other machines report to the study of the command, and end as trials here do."""

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import WEIGHTS, RunRecord
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.masked import MaskedData
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.predictions import PLAIN_VIEW
from kagglecxr.training.cluster.cluster_trials import ClusterTrial, RayTrialLauncher, weight_files
from kagglecxr.training.cluster.file_bundle import read_folder
from kagglecxr.training.cluster.task_messages import TaskResult
from kagglecxr.training.fold import FoldOptions
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.search.study import open_study
from kagglecxr.training.search.trial_process import TrialResult, TrialSpec
from tests.conftest import PreparedDemo
from tests.segmentation.conftest import MaskedFolder
from tests.training.cluster.conftest import FakeCluster, FakeTask, died
from tests.training.search.conftest import DISTRIBUTIONS

SMALL = make_recipe({}, ["epochs=1", "model_options.width=4"])


def make_spec(demo: PreparedDemo, folder: Path, *, weights: str = "") -> TrialSpec:
    return TrialSpec(
        competition="demo", workspace=demo.workspace.root, study="one",
        storage=str(folder / "journal.log"), number=0,
        recipe=SMALL.model_copy(update={"weights": weights}),
        folder=folder / "trials" / "cnn_small-1", folds=1, seed=0,
    )  # fmt: skip


def train_nothing(run: RunSpec, fold: int, reporter: Reporter, options: FoldOptions) -> None:
    """Stands in for `train_fold`: reports one epoch, and writes the files that a trial reads."""
    held_out = run.fold_of == fold
    truth = run.task.targets(held_out)
    inputs: Any = SimpleNamespace(predict=lambda views: truth)
    (callback,) = options.callbacks(inputs)
    callback.on_epoch_end(0)
    folder = run.fold_folder(fold)
    run.task.held_out(held_out, {PLAIN_VIEW: truth}).save(folder / "validation.npz")
    (folder / "fold.json").write_text("{}")


def test_a_trial_reports_to_the_studys_file_and_returns_its_files(
    demo: PreparedDemo, tmp_path: Path, machine_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kagglecxr.training.search.trial.train_fold", train_nothing)
    spec = make_spec(demo, tmp_path)
    study = open_study("one", spec.storage, maximise=True, seed=0)
    study.ask(DISTRIBUTIONS)
    cluster = FakeCluster()
    result = RayTrialLauncher(cluster, demo.prepared, demo.workspace)(spec).poll()
    assert result is not None
    assert result.state == "finished", result.error
    reported = study.get_trials()[0].intermediate_values
    assert reported == {1: 1.0}
    assert result.score == 1.0
    assert {"fold-0/fold.json", "fold-0/validation.npz"} <= read_folder(spec.folder).keys()
    assert not list(machine_folder.rglob("*/trials/*/fold-0"))


def test_a_trial_whose_weights_are_missing_has_failed(demo: PreparedDemo, tmp_path: Path) -> None:
    cluster = FakeCluster()
    trial = RayTrialLauncher(cluster, demo.prepared, demo.workspace)(
        make_spec(demo, tmp_path, weights="none.h5")
    )
    result = trial.poll()
    assert result is not None
    assert result.state == "failed"
    assert "none.h5" in result.error
    assert cluster.submitted == []


@pytest.mark.parametrize(
    ("respond", "state", "words"),
    [
        (died, "died", "machine died"),
        (lambda task: TaskResult("box", error="No room."), "failed", "on box: No room."),
    ],
)
def test_a_trial_that_fails_names_its_machine(
    respond: Any, state: str, words: str, tmp_path: Path
) -> None:
    task: Any = FakeTask(lambda: respond(None))
    result = ClusterTrial(task, tmp_path).poll()
    assert result is not None
    assert result.state == state
    assert words in result.error


def test_a_pruned_trial_returns_no_files(tmp_path: Path) -> None:
    task: Any = FakeTask(lambda: TaskResult("box", trial=TrialResult("pruned")))
    trial = ClusterTrial(task, tmp_path / "trial")
    assert trial.poll() == TrialResult("pruned")
    trial.kill()
    assert task.cancelled


def test_a_run_to_start_from_is_sent_with_the_index_of_its_workspace(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "old"
    RunRecord(
        name="old", competition="demo", model="cnn_small", recipe={}, seed=0, folds=2,
        targets=["a", "b"], input_shape=(8, 8, 1), data={"index": "", "folds": ""},
        parameters={}, megabytes=0.0, versions={}, machine={}, seconds=[], metrics={},
    ).write(run)  # fmt: skip
    for folder in (run / "fold-0", run / "fold-1"):
        folder.mkdir()
        (folder / WEIGHTS).touch()
    (tmp_path / "index.csv").touch()
    file = tmp_path / "own.weights.h5"
    file.touch()
    files, names = weight_files([str(run), str(file)], "cnn_small", folds=3)
    assert names == ("0/runs/old", "1/own.weights.h5")
    assert set(files) == {
        "0/index.csv", "0/runs/old/run.json", "0/runs/old/fold-0/model.weights.h5",
        "0/runs/old/fold-1/model.weights.h5", "1/own.weights.h5",
    }  # fmt: skip


def test_a_trial_of_masks_learns_from_masked_images_whatever_the_competitions_are(
    masks: MaskedFolder, tmp_path: Path, machine_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[PreparedData] = []

    def train_no_trial(data: PreparedData, *_: object) -> TrialResult:
        received.append(data)
        return TrialResult("finished", 0.5)

    monkeypatch.setattr("kagglecxr.training.search.trial.train_trial", train_no_trial)
    demo = PreparedDemo(masks.prepared.competition, masks.workspace, masks.prepared)
    recipe = make_recipe({"model": "unet_small", "loss": "dice", "segmentation": {"size": 32}})
    spec = dataclasses.replace(make_spec(demo, tmp_path), recipe=recipe)
    launch = RayTrialLauncher(FakeCluster(), masks.prepared, masks.workspace)
    cache_key = masks.prepared.cache.key
    for other in ("", cache_key):
        result = launch(dataclasses.replace(spec, cache_key=other)).poll()
        assert result is not None
        assert result.state == "finished", result.error
    assert len(received) == 2
    for data in received:
        assert isinstance(data, MaskedData)
        assert data.index.ids == masks.data.index.ids
        np.testing.assert_array_equal(data.cache.images, masks.data.cache.images)


def test_a_trial_of_another_preprocessing_is_sent_with_its_cache(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    other = tmp_path / "work" / "cache" / "other"
    shutil.copytree(demo.workspace.root, tmp_path / "work")
    shutil.copytree(demo.prepared.cache.folder, other)
    workspace = Workspace(tmp_path / "work", "demo")
    cluster = FakeCluster()
    launch = RayTrialLauncher(cluster, demo.prepared, workspace)
    for key in ("", "other", "other"):
        launch(dataclasses.replace(make_spec(demo, tmp_path), cache_key=key))
    plain, one, two = (task.workspace for task in cluster.submitted)
    assert one is two
    assert set(one.files) - set(plain.files) == {
        "cache/other/cache.json", "cache/other/images.npy", "cache/other/measures.npy",
    }  # fmt: skip
