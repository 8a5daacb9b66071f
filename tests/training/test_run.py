"""A run gathers its folds; what is finished is not done again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import digest
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import fold_folder, read_run
from kagglecxr.data.index import read_folds
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.members import member_for_files
from kagglecxr.inference.novelty import load_novelties
from kagglecxr.inference.predictions import Predictions
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.run import RunOptions, describe_run, run_name, train_run
from tests.conftest import FOLDS, PreparedDemo, prepare_demo
from tests.training.eager_models import eagerly


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return make_recipe({}, ["epochs=1", "model_options.width=4", "batch_size=64", "optimizer=sgd"])


@pytest.fixture(scope="module")
def own(demo_images: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDemo:
    return prepare_demo(demo_images, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def run(own: PreparedDemo, recipe: Recipe) -> Path:
    with eagerly():
        for fold in (1, 0, 2):
            folder = train_run(
                own.prepared, own.workspace, recipe, Silent(), RunOptions(only_fold=fold)
            )
    return folder


def test_folds_trained_one_by_one_make_a_run(run: Path, own: PreparedDemo) -> None:
    record = read_run(run)
    assert record.folds == len(record.seconds) == FOLDS
    assert record.targets == own.prepared.competition.targets()
    oof = Predictions.load(run / "oof.npz")
    train = own.prepared.index.rows("train")
    assert sorted(oof.ids.tolist()) == sorted(own.prepared.index.column("id", train))
    assert record.metrics["oof_accuracy"] == pytest.approx(
        METRICS["accuracy"](oof.truth, oof.probabilities)
    )
    assert describe_run(run, "accuracy").startswith(f"Trained {FOLDS} folds of cnn_small")
    novelties = load_novelties([member_for_files(run)]).values()
    scores = np.concatenate([novelty.held_out for novelty in novelties])
    assert len(scores) == len(train)
    assert np.mean(scores > 1.0) <= 0.01


def test_a_finished_run_is_not_trained_again(run: Path, own: PreparedDemo, recipe: Recipe) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*.h5")}
    assert train_run(own.prepared, own.workspace, recipe, Silent()) == run
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*.h5")} == before


def test_predictions_that_were_lost_come_back_without_training(
    run: Path, own: PreparedDemo, recipe: Recipe
) -> None:
    kept = Predictions.load(run / "oof.npz").probabilities
    weights = {path: path.stat().st_mtime_ns for path in run.rglob("*.h5")}
    for name in ("oof.npz", "run.json"):
        (run / name).unlink()
    assert train_run(own.prepared, own.workspace, recipe, Silent()) == run
    np.testing.assert_array_equal(Predictions.load(run / "oof.npz").probabilities, kept)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*.h5")} == weights


def test_a_run_is_bit_for_bit_repeatable(
    run: Path, recipe: Recipe, demo_images: Path, tmp_path: Path
) -> None:
    other = prepare_demo(demo_images, tmp_path)
    last = RunOptions(only_fold=FOLDS - 1)
    with eagerly():
        again = train_run(other.prepared, other.workspace, recipe, Silent(), last)
    assert again.name == run.name
    answers = fold_folder(again, FOLDS - 1) / "validation.npz"
    np.testing.assert_array_equal(
        Predictions.load(fold_folder(run, FOLDS - 1) / "validation.npz").probabilities,
        Predictions.load(answers).probabilities,
    )


def test_a_run_on_compressed_images_is_that_on_plain_ones(
    run: Path, recipe: Recipe, demo_images: Path, tmp_path: Path
) -> None:
    other = prepare_demo(demo_images, tmp_path, cache="compressed")
    assert other.prepared.cache.form == "compressed"
    last = RunOptions(only_fold=FOLDS - 1)
    with eagerly():
        again = train_run(other.prepared, other.workspace, recipe, Silent(), last)
    assert again.name == run.name
    plain, compressed = (fold_folder(folder, FOLDS - 1) for folder in (run, again))
    losses = [
        pd.read_csv(folder / "history.csv").drop(columns="seconds", errors="ignore")
        for folder in (plain, compressed)
    ]
    pd.testing.assert_frame_equal(*losses, check_exact=True)
    np.testing.assert_array_equal(
        *(Predictions.load(f / "validation.npz").probabilities for f in (plain, compressed))
    )


def test_all_that_decides_a_run_is_in_its_name(own: PreparedDemo, recipe: Recipe) -> None:
    names = {
        run_name(own.prepared, recipe, FOLDS, 0),
        run_name(own.prepared, recipe, FOLDS, 1),
        run_name(own.prepared, recipe, 4, 0),
        run_name(own.prepared, make_recipe({}, ["epochs=2"]), FOLDS, 0),
        *(run_name(pooled(own, pools), recipe, FOLDS, 0) for pools in ("ill", "other")),
    }
    assert len(names) == 6


def pooled(own: PreparedDemo, name: str) -> PreparedData:
    """The prepared data with the first two classes as one target."""
    competition = own.prepared.competition
    classes = competition.classes
    changed = classes.model_copy(update={"pools": {name: classes.names[:2]}})
    return replace(own.prepared, competition=competition.model_copy(update={"classes": changed}))


def test_the_names_of_classifiers_runs_are_those_of_recipes_without_masks(
    own: PreparedDemo, recipe: Recipe
) -> None:
    # As they were before masks could be learned: finished runs are found again.
    settings = recipe.model_dump(mode="json", exclude={"segmentation", "linear"})
    table = own.prepared.index.table
    split = digest(list(table["id"]), list(table["split"]), own.prepared.fold.tolist())
    decided = digest(settings, own.prepared.cache.key, FOLDS, 0, split)
    assert run_name(own.prepared, recipe, FOLDS, 0) == f"cnn_small-{decided[:8]}"
    names = {
        run_name(own.prepared, make_recipe({"segmentation": masks}), FOLDS, 0)
        for masks in ({"size": 32}, {"size": 64}, {"size": 32, "pipeline": "equalise | resize"})
    }
    assert len(names | {run_name(own.prepared, make_recipe({}), FOLDS, 0)}) == 4


def test_a_recipe_of_masks_is_refused_by_the_training_of_classifiers(own: PreparedDemo) -> None:
    recipe = make_recipe({"model": "unet_small", "loss": "dice", "segmentation": {"size": 32}})
    with pytest.raises(SettingError, match=r"Run: python -m kagglecxr\.segment .*--train"):
        train_run(own.prepared, own.workspace, recipe, Silent())


@pytest.mark.parametrize("fold", [-1, FOLDS])
def test_a_fold_that_does_not_exist_is_refused(
    own: PreparedDemo, recipe: Recipe, fold: int
) -> None:
    with pytest.raises(SettingError, match=f"--fold {fold}"):
        train_run(own.prepared, own.workspace, recipe, Silent(), RunOptions(only_fold=fold))


def test_another_number_of_folds_splits_anew(own: PreparedDemo, recipe: Recipe) -> None:
    options = RunOptions(folds=2, only_fold=0)
    folder = train_run(own.prepared, own.workspace, recipe, Silent(), options)
    assert set(read_folds(folder / "folds.csv", own.prepared.index)) == {0, 1}
