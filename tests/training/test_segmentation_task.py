"""Lung masks are learned by the same trainer: folds, runs, resuming, and what other verbs see."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import MissingError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import finished_runs, fold_folder, read_run
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.index import Index
from kagglecxr.data.masked import MaskedData, load_masked
from kagglecxr.ensembling.run_selection import choose_runs, runs_to_blend
from kagglecxr.inference.members import member_for_files
from kagglecxr.inference.novelty import load_novelties
from kagglecxr.reports.comparison import compare_runs
from kagglecxr.training.callbacks.resume_checkpoint import ResumeCheckpoint
from kagglecxr.training.held_out_masks import HeldOutMasks
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.run import RunOptions, describe_run, train_run
from kagglecxr.training.run_spec import run_name
from kagglecxr.training.segmentation_task import SegmentationTask
from kagglecxr.training.tasks import data_of_recipe, make_task
from tests.conftest import PreparedDemo, copy_demo
from tests.training.eager_models import eagerly
from tests.training.run_factories import make_run

SIZE, EVERY = 32, 8


@pytest.fixture(scope="module")
def own(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    """The demo with masks of a few of its images."""
    demo = copy_demo(demo, tmp_path_factory.mktemp("masks"))
    table = demo.prepared.index.table.copy()
    train = demo.prepared.index.rows("train")
    # Not the first ones, so that they are of several classes.
    table.loc[np.setdiff1d(train, train[::EVERY]), "mask"] = ""
    return dataclasses.replace(
        demo, prepared=dataclasses.replace(demo.prepared, index=Index(table))
    )


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return make_recipe(
        {"model": "unet_small", "loss": "cross_entropy_dice", "segmentation": {"size": SIZE}},
        ["epochs=2", "steps=1", "batch_size=4", "sampling=natural", "ema=0.5", "optimizer=sgd"],
    )


@pytest.fixture(scope="module")
def data(own: PreparedDemo) -> MaskedData:
    pipeline = Pipeline.parse("gray | resize", SIZE)
    return load_masked(own.prepared, own.workspace, pipeline, Silent())


@pytest.fixture(scope="module")
def task(data: MaskedData) -> SegmentationTask:
    made = make_task(data)
    assert isinstance(made, SegmentationTask)
    return made


def test_masked_images_ask_for_segmentation(
    own: PreparedDemo, data: MaskedData, recipe: Recipe
) -> None:
    assert make_task(own.prepared).output_names == own.prepared.competition.targets()
    assert make_task(data).output_names == ["lungs"]
    found = data_of_recipe(own.prepared, own.workspace, recipe, Silent())
    assert isinstance(found, MaskedData)
    assert found.cache.key == data.cache.key
    assert data_of_recipe(own.prepared, own.workspace, make_recipe({}), Silent()) is own.prepared


def test_targets_are_masks_read_as_they_are_needed(
    task: SegmentationTask, data: MaskedData
) -> None:
    part = np.arange(len(data.index.table)) % 2 == 1
    targets = task.targets(part)
    assert len(targets) == part.sum()
    some = targets[np.array([3, 0])]
    assert some.shape == (2, SIZE, SIZE, 1)
    assert some.dtype == np.float32
    np.testing.assert_array_equal(some[..., 0], data.masks[[7, 1]] / 255)
    assert set(np.unique(targets[:])) == {0.0, 1.0}


@pytest.mark.parametrize("sampling", ["natural", "balanced"])
def test_classes_without_masks_are_not_sampled(
    task: SegmentationTask, data: MaskedData, recipe: Recipe, sampling: str
) -> None:
    labels = np.array(data.index.table["label"])
    part = np.isin(labels, np.unique(labels)[[0, -1]])
    changed = recipe.model_copy(update={"sampling": sampling})
    sampler = task.sampler(part, changed, 0)
    assert set(sampler.order(0).tolist()) == set(range(part.sum()))


@pytest.mark.parametrize("seed", range(3))
def test_images_and_masks_move_alike(task: SegmentationTask, data: MaskedData, seed: int) -> None:
    changes = [f"augmentation.{name}" for name in ("rotation=30", "zoom=0.3", "shift=0.2")]
    still = [f"augmentation.{name}=0" for name in ("contrast", "brightness")]
    recipe = make_recipe({}, [*changes, *still, "augmentation.hflip=0.5"])
    images = data.masks[..., None]
    masks = images.astype(np.float32) / 255
    change = task.augmentation(recipe)
    moved, moved_masks = change(images, masks, np.random.default_rng(seed))
    assert moved_masks.dtype == np.float32
    assert set(np.unique(moved_masks)) == {0.0, 1.0}
    assert (moved != images).mean() > 0.05
    # Where interpolation shows no edge, the two agree to the pixel.
    sure = (moved == 0) | (moved == 255)
    assert sure.mean() > 0.7
    np.testing.assert_array_equal(moved[sure] / 255, moved_masks[sure])


def test_the_metric_is_the_mean_of_the_images_intersections_over_unions(
    task: SegmentationTask,
) -> None:
    truth = np.array([[[1, 1, 0, 0]], [[0, 0, 0, 1]]], np.float32)
    predicted = np.array([[[0.9, 0.1, 0.6, 0.0]], [[0.0, 0.2, 0.0, 0.7]]], np.float32)
    assert task.metric(truth, predicted) == pytest.approx((1 / 3 + 1) / 2)
    assert task.metric.greater_is_better
    assert task.metric.name == "iou"


def test_held_out_images_are_predicted_and_scored(task: SegmentationTask, data: MaskedData) -> None:
    inputs = keras.Input((SIZE, SIZE, 1))
    model = keras.Model(inputs, keras.layers.Rescaling(1 / 255)(inputs))
    part = data.fold == 0
    rows = np.flatnonzero(part)
    by_view = {view: task.predict(model, rows, [view]) for view in ("identity", "hflip")}
    held_out = task.held_out(part, by_view)
    assert held_out.ids.tolist() == data.index.column("id", rows)
    np.testing.assert_array_equal(held_out.by_view["identity"], data.cache.images[rows])
    np.testing.assert_array_equal(held_out.probabilities, data.cache.images[rows])
    np.testing.assert_array_equal(held_out.truth, data.masks[rows])
    perfect = task.held_out(part, {"identity": data.masks[rows] / np.float32(255)})
    assert perfect.score() == 1.0
    wrong = task.held_out(part, {"identity": 1 - data.masks[rows] / np.float32(255)})
    assert wrong.score() == 0.0


@pytest.fixture(scope="module")
def run(own: PreparedDemo, data: MaskedData, recipe: Recipe) -> Path:
    with eagerly():
        return train_run(data, own.workspace, recipe, Silent(), RunOptions(folds=2))


def test_a_run_says_what_it_learned_and_how_well(run: Path, data: MaskedData) -> None:
    record = read_run(run)
    assert (record.targets, record.folds, record.input_shape) == (["lungs"], 2, (SIZE, SIZE, 1))
    assert record.recipe["segmentation"] == {"size": SIZE, "pipeline": "gray | resize"}
    assert record.pipeline == f"gray | resize({SIZE})"
    assert {"val_loss", "val_iou", "val_precision", "oof_iou", "oof_dice"} <= record.metrics.keys()
    assert 0 <= record.metrics["oof_iou"] < record.metrics["oof_dice"] <= 1
    assert "out-of-fold accuracy " in describe_run(run, "dice")
    oof = HeldOutMasks.load(run / "oof.npz")
    assert sorted(oof.ids.tolist()) == sorted(data.index.ids)
    assert record.metrics["oof_iou"] == oof.score()
    novelties = load_novelties([member_for_files(run)])
    assert {fold for _, fold in novelties} == {0, 1}
    held_out = np.concatenate([novelty.held_out for novelty in novelties.values()])
    assert len(held_out) == len(data.index.ids)
    assert held_out.max() == pytest.approx(1.0)
    row_of = {name: row for row, name in enumerate(data.index.ids)}
    rows = [row_of[name] for name in oof.ids.tolist()]
    np.testing.assert_array_equal(oof.truth, data.masks[rows])


def test_each_epoch_is_in_the_history(run: Path) -> None:
    for fold in range(2):
        history = pd.read_csv(fold_folder(run, fold) / "history.csv")
        assert len(history) == 2
        names = ("iou", "accuracy", "precision", "recall")
        for name in ("loss", *names, *(f"val_{name}" for name in ("loss", *names))):
            assert np.isfinite(history[name]).all()


def test_its_out_of_fold_masks_are_those_of_its_weights(
    run: Path, task: SegmentationTask, data: MaskedData
) -> None:
    model = member_for_files(run).load_model(1)
    kept = HeldOutMasks.load(fold_folder(run, 1) / "validation.npz")
    part = np.isin(data.index.ids, kept.ids)
    rows = np.flatnonzero(part)
    again = task.held_out(part, {"hflip": task.predict(model, rows, ["hflip"])})
    difference = again.by_view["hflip"].astype(int) - kept.by_view["hflip"]
    assert np.abs(difference).max() <= 1


class _KilledError(Exception):
    pass


class _KillAfterTheFirst(ResumeCheckpoint):
    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == 1:
            raise _KilledError
        super().on_epoch_begin(epoch, logs)


def test_a_killed_run_is_resumed_with_the_same_result(
    run: Path,
    own: PreparedDemo,
    data: MaskedData,
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace = dataclasses.replace(own.workspace, root=tmp_path)
    options = RunOptions(folds=2, only_fold=0)
    with eagerly():
        with monkeypatch.context() as patch:
            patch.setattr("kagglecxr.training.stage.ResumeCheckpoint", _KillAfterTheFirst)
            with pytest.raises(_KilledError):
                train_run(data, workspace, recipe, Silent(), options)
        resumed = train_run(data, workspace, recipe, Silent(), options)
    assert resumed.name == run.name
    one, other = (
        HeldOutMasks.load(fold_folder(folder, 0) / "validation.npz") for folder in (run, resumed)
    )
    np.testing.assert_array_equal(one.by_view["identity"], other.by_view["identity"])


def test_a_finished_run_is_not_trained_again(
    run: Path, own: PreparedDemo, data: MaskedData, recipe: Recipe
) -> None:
    before = (run / "run.json").stat().st_mtime_ns
    assert train_run(data, own.workspace, recipe, Silent(), RunOptions(folds=2)) == run
    assert (run / "run.json").stat().st_mtime_ns == before


def test_the_masks_decide_a_runs_name(own: PreparedDemo, data: MaskedData, recipe: Recipe) -> None:
    assert run_name(data, recipe, 2, 0) != run_name(own.prepared, recipe, 2, 0)


def test_verbs_of_classifiers_do_not_see_it(run: Path, own: PreparedDemo, tmp_path: Path) -> None:
    assert finished_runs(own.workspace.runs, segmentation=True) == [run]
    for choose in (choose_runs, lambda *parts: runs_to_blend(*parts, Silent())):
        with pytest.raises(MissingError, match=r"kagglecxr\.train"):
            choose(own.prepared, own.workspace, [])
    classifier = make_run(own, "classifier", 1)
    assert finished_runs(own.workspace.runs) == [classifier]
    assert choose_runs(own.prepared, own.workspace, []) == [classifier]
    assert runs_to_blend(own.prepared, own.workspace, [], Silent()) == [classifier]
    compared = compare_runs(own.competition, own.workspace, tmp_path / "ledger.csv", Silent())
    assert classifier.name in compared.table.columns
    assert run.name not in compared.table.columns
