"""Folds that are trained on a cluster are those that would be trained in this process."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.data.masked import MaskedData, of_sources
from kagglecxr.models import create_model
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.training.cluster.cluster_folds import train_folds
from kagglecxr.training.cluster.file_bundle import read_folder
from kagglecxr.training.cluster.task_messages import ClusterError, TaskResult
from kagglecxr.training.fold import FoldOptions, train_fold
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.segmentation_task import SegmentationTask
from kagglecxr.training.tasks import make_task
from tests.conftest import PreparedDemo
from tests.segmentation.conftest import MaskedFolder
from tests.training.cluster.conftest import FakeCluster, died
from tests.training.run_factories import run_spec

SMALL = make_recipe({}, ["epochs=1", "model_options.width=4"])


def run_and_weights(
    demo: PreparedDemo, folder: Path, *weights: Sequence[Path]
) -> tuple[RunSpec, dict[int, Sequence[Path]]]:
    return run_spec(demo, SMALL, folder, seed=0), dict(enumerate(weights))


@pytest.mark.slow
def test_a_fold_is_the_same_wherever_it_is_trained(
    demo: PreparedDemo, tmp_path: Path, machine_folder: Path
) -> None:
    start = tmp_path / "start.weights.h5"
    targets = len(demo.competition.targets())
    model = create_model("cnn_small", num_classes=targets, input_shape=(48, 48, 1), width=4)
    save_weights(model, start)
    cluster = FakeCluster()
    train_folds(cluster, *run_and_weights(demo, tmp_path / "there", [start]), Silent())
    run = run_spec(demo, SMALL, tmp_path / "here", seed=0)
    train_fold(run, 0, Silent(), FoldOptions(weights=lambda: [start]))
    here, there = (read_folder(tmp_path / name) for name in ("here", "there"))
    # TensorBoard's own files have the time in their names.
    assert {n for n in here if ".tfevents." not in n} == {n for n in there if ".tfevents." not in n}
    for name in ("fold-0/model.weights.h5", "fold-0/validation.npz"):
        assert here[name] == there[name]
    assert not list(machine_folder.rglob("*/runs/*/fold-0"))


def finished(task: Any) -> TaskResult:
    return TaskResult("box", {"fold.json": b"{}"})


def fold_1_fails(task: Any) -> TaskResult:
    if task.fold == 1:
        return TaskResult("box", error="The disk is full. Received: 0 bytes. Make room.")
    return finished(task)


def test_a_fold_that_fails_is_named_and_the_others_are_kept(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    cluster = FakeCluster(fold_1_fails)
    with pytest.raises(ClusterError, match=r"fold 1, the first on box: The disk is full\."):
        train_folds(cluster, *run_and_weights(demo, tmp_path, [], [], []), Silent())
    assert sorted(read_folder(tmp_path)) == ["fold-0/fold.json", "fold-2/fold.json"]
    assert [task.fold for task in cluster.submitted] == [0, 1, 2]
    again = FakeCluster(finished)
    train_folds(again, *run_and_weights(demo, tmp_path, [], [], []), Silent())
    assert [task.fold for task in again.submitted] == [1]
    idle = FakeCluster()
    train_folds(idle, *run_and_weights(demo, tmp_path, [], [], []), Silent())
    assert idle.submitted == []


def test_a_fold_whose_machine_died_too_often_is_named(demo: PreparedDemo, tmp_path: Path) -> None:
    cluster = FakeCluster(died)
    with pytest.raises(ClusterError, match=r"fold 0, the first on the cluster: Its process"):
        train_folds(cluster, *run_and_weights(demo, tmp_path, []), Silent())


def test_weights_that_several_folds_start_from_are_sent_once(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    same, other = tmp_path / "a" / "x.h5", tmp_path / "b" / "x.h5"
    for path in (same, other):
        path.parent.mkdir()
        path.write_text(path.parent.name)
    cluster = FakeCluster(finished)
    run, weights = run_and_weights(demo, tmp_path, [same, other], [same, other], [other])
    train_folds(cluster, run, weights, Silent())
    first, second, third = cluster.submitted
    assert first.weights is second.weights
    assert first.weight_names == ("0/x.h5", "1/x.h5")
    assert list(third.weights.files) == ["0/x.h5"]


def test_the_notes_of_a_machine_are_shown(demo: PreparedDemo, tmp_path: Path) -> None:
    cluster = FakeCluster(lambda task: TaskResult("box", {"fold.json": b"{}"}, notes=("Look.",)))
    notes: list[str] = []

    class Recording(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    train_folds(cluster, *run_and_weights(demo, tmp_path, []), Recording())
    assert notes == ["Fold 0 on box: Look."]


def test_a_machine_gets_masked_images_and_no_files_of_them(
    masks: MaskedFolder, tmp_path: Path, machine_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[RunSpec] = []

    def train_nothing(run: RunSpec, fold: int, *_: object) -> None:
        got.append(run)
        (run.fold_folder(fold) / "fold.json").write_text("{}")

    monkeypatch.setattr("kagglecxr.training.fold.train_fold", train_nothing)
    data = of_sources(masks.data, "one")
    recipe = make_recipe({"model": "unet_small", "loss": "dice", "segmentation": {"size": 32}})
    run = RunSpec(
        make_task(data), masks.workspace, recipe, data.fold, 0, masks.workspace.runs / "run"
    )
    shutil.rmtree(data.root)
    train_folds(FakeCluster(), run, {0: [], 1: []}, Silent())
    assert run.missing_folds() == []
    for there in got:
        assert there.workspace.root.is_relative_to(machine_folder)
        received = there.task.prepared
        assert isinstance(there.task, SegmentationTask)
        assert isinstance(received, MaskedData)
        assert received.index.ids == data.index.ids
        np.testing.assert_array_equal(received.masks, data.masks)
        np.testing.assert_array_equal(received.cache.images, data.cache.images)


def test_images_of_a_classifier_are_sent_once(demo: PreparedDemo, tmp_path: Path) -> None:
    cluster = FakeCluster(finished)
    train_folds(cluster, *run_and_weights(demo, tmp_path, [], []), Silent())
    first, second = (task.workspace for task in cluster.submitted)
    assert first is second
    assert not any(name.startswith("masked/") for name in first.files)
