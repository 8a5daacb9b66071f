"""Which run predicts masks, and which data a recipe of masks learns from."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.files import read_table
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import WEIGHTS, fold_folder
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.models.zoo import create_model
from kagglecxr.segmentation.evaluation import evaluate_masks, write_left_out_sources
from kagglecxr.segmentation.mask_training import find_mask_run, masked_data, train_masks
from kagglecxr.segmentation.segment_options import SegmentOptions
from kagglecxr.training.held_out_masks import HeldOutMasks
from kagglecxr.training.initial_weights import InitialWeights
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run import RunOptions
from tests.conftest import PreparedDemo
from tests.inference.random_runs import random_run
from tests.segmentation.conftest import WITH_MASKS, MaskedFolder
from tests.segmentation.mask_runs import MASKS, mask_run
from tests.training.run_factories import run_spec


@pytest.fixture
def no_packaged_net(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kagglecxr.segmentation.mask_training.packaged_run", lambda: None)


def test_the_newest_run_of_masks_predicts(folder: MaskedFolder, demo: PreparedDemo) -> None:
    for name, age in (("new", 300), ("old", 100)):
        run = mask_run(folder.data, folder.workspace, name, [0.5])
        os.utime(run / "run.json", (age, age))
    own = PreparedDemo(demo.competition, folder.workspace, demo.prepared)
    random_run(own, "classifier", folds=1)
    assert find_mask_run(folder.workspace, None, Silent()).name == "new"


def test_a_run_without_a_source_predicts_no_other_images(folder: MaskedFolder) -> None:
    whole, apart = (
        mask_run(folder.data, folder.workspace, name, [0.5, 0.5]) for name in ("whole", "apart")
    )
    for run, age in ((whole, 100), (apart, 300)):
        os.utime(run / "run.json", (age, age))
    assert find_mask_run(folder.workspace, None, Silent()) == apart
    held_out = HeldOutMasks.load(apart / "oof.npz")
    write_left_out_sources(apart, evaluate_masks(held_out, folder.data))
    assert find_mask_run(folder.workspace, None, Silent()) == whole
    assert read_table(apart / "left_out_sources.csv")["name"].tolist() == ["one", "two"]


def test_a_run_is_named_or_its_folder(folder: MaskedFolder) -> None:
    run = mask_run(folder.data, folder.workspace, "one", [0.5])
    mask_run(folder.data, folder.workspace, "two", [0.5])
    for named in (Path("one"), run):
        assert find_mask_run(folder.workspace, named, Silent()) == run


@pytest.mark.usefixtures("no_packaged_net")
def test_without_any_net_the_user_is_told_to_train_one(folder: MaskedFolder) -> None:
    with pytest.raises(MissingError, match=r"Train one.*kagglecxr\.segment demo --train"):
        find_mask_run(folder.workspace, None, Silent())
    with pytest.raises(MissingError, match="Received: --model none"):
        find_mask_run(folder.workspace, Path("none"), Silent())


def test_a_classifier_predicts_no_masks(folder: MaskedFolder, demo: PreparedDemo) -> None:
    own = PreparedDemo(demo.competition, folder.workspace, demo.prepared)
    run = random_run(own, "classifier", folds=1)
    with pytest.raises(SettingError, match=f"classifies and has no masks. Received: {run}"):
        find_mask_run(folder.workspace, Path("classifier"), Silent())


def test_masks_are_of_the_recipes_size(folder: MaskedFolder) -> None:
    recipe = make_recipe(MASKS, ["segmentation.size=24", "segmentation.pipeline=resize | gray"])
    data = masked_data(folder.prepared, folder.workspace, recipe, Silent())
    assert data.masks.shape == (len(WITH_MASKS), 24, 24)
    assert data.pipeline_text == "resize(24) | gray"


def test_a_recipe_of_classifiers_learns_no_masks(folder: MaskedFolder) -> None:
    options = SegmentOptions()
    with pytest.raises(SettingError, match=r"without \[segmentation\]. Use the recipe lungs"):
        masked_data(folder.prepared, folder.workspace, make_recipe({}), Silent(), options)


def test_the_chain_of_report_3_starts_from_a_run_of_masks(
    folder: MaskedFolder, demo: PreparedDemo
) -> None:
    run = mask_run(folder.data, folder.workspace, "masks", [0.5])
    unet = create_model("unet_bn", num_classes=1, input_shape=(256, 256, 1))
    unet.get_layer("down1_norm1").moving_mean.assign(np.arange(16))
    save_weights(unet, fold_folder(run, 0) / WEIGHTS)
    recipe = make_recipe({}, ["model=masked_separable_cnn", f"weights={run}"])
    chain = run_spec(demo, recipe, folder.workspace.runs / "chain")
    # The run learned from other images of the workspace, but from their masks alone.
    weights = InitialWeights(chain, [str(run)], demo.workspace.folds).of_fold(1)
    model = create_model(recipe.model, num_classes=2, input_shape=(None, None, 1), weights=weights)
    assert model.count_params() == 678_483
    np.testing.assert_array_equal(model.get_layer("down1_norm1").moving_mean, np.arange(16))


def test_folds_are_trained_on_a_cluster_without_a_time_limit(
    folder: MaskedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def connected(cluster: str | None) -> Iterator[str]:
        yield f"executor of {cluster}"

    def train_nothing(*arguments: object) -> Path:
        options = arguments[-1]
        assert isinstance(options, RunOptions)
        assert str(options.fold_executor) == "executor of auto"
        return Path("run")

    monkeypatch.setattr("kagglecxr.segmentation.mask_training.fold_executor", connected)
    monkeypatch.setattr("kagglecxr.segmentation.mask_training.train_run", train_nothing)
    recipe = make_recipe(MASKS)
    options = SegmentOptions(train=True, cluster="auto")
    run, _ = train_masks(folder.prepared, folder.workspace, recipe, Silent(), options, seed=0)
    assert run == Path("run")
    limited = dataclasses.replace(options, timeout=60.0)
    with pytest.raises(SettingError, match=r"--timeout 60\.0 with --cluster auto"):
        train_masks(folder.prepared, folder.workspace, recipe, Silent(), limited, seed=0)
