"""A fold learns, leaks nothing, and is the same whether it was interrupted or not."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import DataError, LeakError
from kagglecxr.core.progress import Silent
from kagglecxr.core.randomness import derive_seed
from kagglecxr.data.index import Index
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.batch_norm import reestimate_batch_norm
from kagglecxr.models.weights.loading import load_weights
from kagglecxr.training.callbacks import Resume
from kagglecxr.training.fold import build_model, compile_model, train_fold
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.recipe import Recipe, make_recipe
from tests.conftest import Played


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return make_recipe({}, ["epochs=3", "model_options.width=4", "batch_size=16"])


@pytest.fixture(scope="module")
def trained(demo: Played, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fold")
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, folder, 5, Silent())
    return folder


def test_a_finished_fold_holds_weights_history_and_predictions(
    trained: Path, demo: Played, recipe: Recipe
) -> None:
    assert sorted(path.name for path in trained.iterdir()) == [
        "fold.json", "history.csv", "model.weights.h5", "validation.npz",
    ]  # fmt: skip
    history = pd.read_csv(trained / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"} <= set(history.columns)
    kept = Predictions.load(trained / "validation.npz")
    train = demo.prepared.index.rows("train")
    expected = demo.prepared.index.column("id", train[demo.prepared.fold == 0])
    assert kept.ids.tolist() == expected
    np.testing.assert_allclose(kept.probabilities.sum(axis=1), 1.0, rtol=1e-5)


def test_plain_images_are_those_of_the_other_folds_as_they_are(
    demo: Played, recipe: Recipe
) -> None:
    seen = np.concatenate(
        list(FoldData(demo.prepared, demo.prepared.fold, 0).plain_images(recipe, 5))
    )
    rows = demo.prepared.index.rows("train")[demo.prepared.fold != 0]
    known = {demo.prepared.cache.images[row].tobytes() for row in rows}
    assert {image.astype(np.uint8).tobytes() for image in seen} == known


def test_statistics_measured_anew_are_those_of_the_kept_weights(
    demo: Played, tmp_path: Path
) -> None:
    changes = ["epochs=1", "model_options.width=4", 'batch_norm="re-estimated"']
    recipe = make_recipe({}, changes)
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, tmp_path, 5, Silent())
    model = build_model(demo.prepared, recipe)
    load_weights(model, tmp_path / "model.weights.h5")
    before = model.get_weights()
    data = FoldData(demo.prepared, demo.prepared.fold, 0)
    reestimate_batch_norm(model, data.plain_images(recipe, derive_seed(5, "fold", 0)))
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_the_kept_weights_make_the_kept_predictions(
    trained: Path, demo: Played, recipe: Recipe
) -> None:
    model = build_model(demo.prepared, recipe)
    model.load_weights(trained / "model.weights.h5")
    data = FoldData(demo.prepared, demo.prepared.fold, 0)
    again = data.fitting(model, recipe, 5).answers(recipe.views)
    kept = Predictions.load(trained / "validation.npz")
    np.testing.assert_allclose(again, kept.probabilities, atol=1e-6)


class _KilledError(Exception):
    pass


class _KillAfter(Resume):
    """Stops the training as a kill between two epochs would."""

    last = 1

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == self.last:
            raise _KilledError
        super().on_epoch_begin(epoch, logs)


@pytest.mark.parametrize("epochs_before", [0, 1, 2])
def test_an_interrupted_fold_ends_with_the_same_bytes(
    demo: Played,
    recipe: Recipe,
    trained: Path,
    tmp_path: Path,
    epochs_before: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(_KillAfter, "last", epochs_before)
        patch.setattr("kagglecxr.training.fold.Resume", _KillAfter)
        with pytest.raises(_KilledError):
            train_fold(demo.prepared, recipe, demo.prepared.fold, 0, tmp_path, 5, Silent())
    assert not (tmp_path / "fold.json").exists()
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, tmp_path, 5, Silent())
    kept, again = (Predictions.load(f / "validation.npz") for f in (trained, tmp_path))
    np.testing.assert_array_equal(kept.probabilities, again.probabilities)
    one, other = (pd.read_csv(f / "history.csv") for f in (trained, tmp_path))
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"))


INSIDE = [
    *("epochs=2", "model_options.width=4", "batch_size=16"),
    *("augmentation.where=model", "augmentation.gamma=0.3", "augmentation.noise=0.03"),
    *("augmentation.cutout=0.3", "augmentation.mixup=0.2", "augmentation.cutmix=1.0"),
]


def test_a_fold_augmented_in_its_model_is_taken_up_with_the_same_bytes(
    demo: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe({}, INSIDE)
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    for folder in (whole, halved):
        folder.mkdir()
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, whole, 5, Silent())
    with monkeypatch.context() as patch:
        patch.setattr("kagglecxr.training.fold.Resume", _KillAfter)
        with pytest.raises(_KilledError):
            train_fold(demo.prepared, recipe, demo.prepared.fold, 0, halved, 5, Silent())
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, halved, 5, Silent())
    one, other = (pd.read_csv(f / "history.csv") for f in (whole, halved))
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"))
    kept, again = (Predictions.load(f / "validation.npz") for f in (whole, halved))
    np.testing.assert_array_equal(kept.probabilities, again.probabilities)


def test_weights_learnt_under_augmentation_layers_predict_without_them(
    demo: Played, tmp_path: Path
) -> None:
    recipe = make_recipe({}, [*INSIDE, "epochs=1"])
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, tmp_path, 5, Silent())
    model = build_model(demo.prepared, make_recipe({}, ["model_options.width=4"]))
    load_weights(model, tmp_path / "model.weights.h5")
    data = FoldData(demo.prepared, demo.prepared.fold, 0)
    answers = data.fitting(model, recipe, 5).answers(recipe.views)
    kept = Predictions.load(tmp_path / "validation.npz")
    np.testing.assert_allclose(answers, kept.probabilities, atol=1e-6)


def test_a_damaged_resume_state_is_named(demo: Played, recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "resume.json").write_text(
        '{"weights": "resume-1.weights.h5", "dropout": [], "history": [{}]}'
    )
    (tmp_path / "resume-1.weights.h5").write_bytes(b"no hdf5")
    with pytest.raises(DataError, match=f"cannot be taken up.*{tmp_path.name}"):
        train_fold(demo.prepared, recipe, demo.prepared.fold, 0, tmp_path, 5, Silent())


def test_a_group_on_both_sides_is_refused_before_any_training(
    demo: Played, recipe: Recipe, tmp_path: Path
) -> None:
    prepared = demo.prepared
    train = prepared.index.rows("train")
    table = prepared.index.table.copy()
    inside, outside = train[prepared.fold == 0][0], train[prepared.fold == 1][0]
    table.loc[table.index[inside], "group"] = table["group"].iloc[outside]
    leaking = dataclasses.replace(prepared, index=Index(table))
    with pytest.raises(LeakError, match="both train and validation"):
        train_fold(leaking, recipe, prepared.fold, 0, tmp_path, 5, Silent())


def test_the_rate_rises_then_falls() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    compile_model(model, make_recipe({}, ["learning_rate=0.1", "warmup=0.2"]), steps=100)
    rate = [float(model.optimizer.learning_rate)]
    schedule = model.optimizer._learning_rate
    rate = [float(schedule(step)) for step in (0, 10, 20, 60, 100)]
    assert rate[0] == pytest.approx(0.001)
    assert rate[2] == pytest.approx(0.1)
    assert rate[0] < rate[1] < rate[2] > rate[3] > rate[4]
    assert rate[4] == pytest.approx(0.001)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "adamax", "adagrad", "sgd"])
def test_every_optimiser_of_the_reports_can_be_named(optimizer: str) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    compile_model(model, make_recipe({}, [f"optimizer={optimizer}"]), steps=10)
    assert model.optimizer.__class__.__name__.lower() == optimizer
