"""A fold learns, leaks nothing, and is the same whether it was interrupted or not."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from kagglecxr.core import deadline
from kagglecxr.core.deadline import Deadline, TimeBudget
from kagglecxr.core.errors import DataError, LeakError
from kagglecxr.core.progress import Silent
from kagglecxr.core.seeding import derive_seed
from kagglecxr.data.index import Index
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.batch_norm import recalibrate_batch_norm
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.models.weights.loading import load_weights
from kagglecxr.training.callbacks.resume_checkpoint import ResumeCheckpoint
from kagglecxr.training.fold import FoldOptions, train_fold
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.stage import build_model
from tests.conftest import PreparedDemo


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return make_recipe({}, ["epochs=3", "model_options.width=4", "batch_size=16"])


@pytest.fixture(scope="module")
def trained(demo: PreparedDemo, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fold")
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, folder, 5, Silent())
    return folder


def test_a_finished_fold_holds_weights_history_and_predictions(
    trained: Path, demo: PreparedDemo, recipe: Recipe
) -> None:
    assert sorted(path.name for path in trained.iterdir()) == [
        "fold.json", "history.csv", "model.weights.h5", "tensorboard", "validation.npz",
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
    demo: PreparedDemo, recipe: Recipe
) -> None:
    seen = np.concatenate(
        list(FoldData(demo.prepared, demo.prepared.fold, 0).plain_images(recipe, 5))
    )
    rows = demo.prepared.index.rows("train")[demo.prepared.fold != 0]
    known = {demo.prepared.cache.images[row].tobytes() for row in rows}
    assert {image.astype(np.uint8).tobytes() for image in seen} == known


def test_statistics_measured_anew_are_those_of_the_kept_weights(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    changes = ["epochs=1", "model_options.width=4", 'batch_norm="recalibrated"']
    recipe = make_recipe({}, changes)
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, tmp_path, 5, Silent())
    model = build_model(demo.prepared, recipe)
    load_weights(model, tmp_path / "model.weights.h5")
    before = model.get_weights()
    data = FoldData(demo.prepared, demo.prepared.fold, 0)
    recalibrate_batch_norm(model, data.plain_images(recipe, derive_seed(5, "fold", 0)))
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_the_kept_weights_make_the_kept_predictions(
    trained: Path, demo: PreparedDemo, recipe: Recipe
) -> None:
    model = build_model(demo.prepared, recipe)
    model.load_weights(trained / "model.weights.h5")
    data = FoldData(demo.prepared, demo.prepared.fold, 0)
    again = data.fitting(model, recipe, 5).answers(recipe.views)
    kept = Predictions.load(trained / "validation.npz")
    np.testing.assert_allclose(again, kept.probabilities, atol=1e-6)


class _KilledError(Exception):
    pass


class _KillAfter(ResumeCheckpoint):
    """Stops the training as a kill between two epochs would."""

    last = 1

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == self.last:
            raise _KilledError
        super().on_epoch_begin(epoch, logs)


@pytest.mark.parametrize(
    "epochs_before",
    [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(2, marks=pytest.mark.slow)],
)
def test_an_interrupted_fold_ends_with_the_same_bytes(
    demo: PreparedDemo,
    recipe: Recipe,
    trained: Path,
    tmp_path: Path,
    epochs_before: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(_KillAfter, "last", epochs_before)
        patch.setattr("kagglecxr.training.stage.Resume", _KillAfter)
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


@pytest.mark.slow
def test_a_fold_augmented_in_its_model_is_taken_up_with_the_same_bytes(
    demo: PreparedDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe({}, INSIDE)
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    for folder in (whole, halved):
        folder.mkdir()
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, whole, 5, Silent())
    with monkeypatch.context() as patch:
        patch.setattr("kagglecxr.training.stage.Resume", _KillAfter)
        with pytest.raises(_KilledError):
            train_fold(demo.prepared, recipe, demo.prepared.fold, 0, halved, 5, Silent())
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, halved, 5, Silent())
    one, other = (pd.read_csv(f / "history.csv") for f in (whole, halved))
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"))
    kept, again = (Predictions.load(f / "validation.npz") for f in (whole, halved))
    np.testing.assert_array_equal(kept.probabilities, again.probabilities)


def test_weights_learnt_under_augmentation_layers_predict_without_them(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    recipe = make_recipe({}, [*INSIDE, "epochs=1"])
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, tmp_path, 5, Silent())
    model = build_model(demo.prepared, make_recipe({}, ["model_options.width=4"]))
    load_weights(model, tmp_path / "model.weights.h5")
    data = FoldData(demo.prepared, demo.prepared.fold, 0)
    answers = data.fitting(model, recipe, 5).answers(recipe.views)
    kept = Predictions.load(tmp_path / "validation.npz")
    np.testing.assert_allclose(answers, kept.probabilities, atol=1e-6)


def test_a_damaged_resume_state_is_named(
    demo: PreparedDemo, recipe: Recipe, tmp_path: Path
) -> None:
    state = tmp_path / "stage-1"
    state.mkdir()
    (state / "resume.json").write_text(
        '{"weights": "resume-1.weights.h5", "dropout": [], "history": [{}]}'
    )
    (state / "resume-1.weights.h5").write_bytes(b"no hdf5")
    with pytest.raises(DataError, match=f"cannot be taken up.*{tmp_path.name}"):
        train_fold(demo.prepared, recipe, demo.prepared.fold, 0, tmp_path, 5, Silent())


def test_a_group_on_both_sides_is_refused_before_any_training(
    demo: PreparedDemo, recipe: Recipe, tmp_path: Path
) -> None:
    prepared = demo.prepared
    train = prepared.index.rows("train")
    table = prepared.index.table.copy()
    inside, outside = train[prepared.fold == 0][0], train[prepared.fold == 1][0]
    table.loc[table.index[inside], "group"] = table["group"].iloc[outside]
    leaking = dataclasses.replace(prepared, index=Index(table))
    with pytest.raises(LeakError, match="both train and validation"):
        train_fold(leaking, recipe, prepared.fold, 0, tmp_path, 5, Silent())


STAGED = [
    *("epochs=2", "model=mobilenet_025", "batch_norm=frozen", "batch_size=16", "ema=0.9"),
    *("schedule=plateau", "plateau_patience=1", "best_epochs=2", "steps=5", "layer_decay=0.9"),
    "stages=[{epochs = 1, trainable = 'head', learning_rate = 1e-2, augmented = false}]",
]


def train_halved(
    demo: PreparedDemo, recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> pd.DataFrame:
    """A fold that is killed after its second epoch and taken up again; its history."""
    fold_of = demo.prepared.fold
    with monkeypatch.context() as patch:
        patch.setattr(_KillAfter, "last", 2)
        patch.setattr("kagglecxr.training.stage.Resume", _KillAfter)
        with pytest.raises(_KilledError):
            train_fold(demo.prepared, recipe, fold_of, 0, folder, 5, Silent())
    train_fold(demo.prepared, recipe, fold_of, 0, folder, 5, Silent())
    return pd.read_csv(folder / "history.csv")


def test_a_fold_in_stages_is_taken_up(
    demo: PreparedDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = train_halved(demo, make_recipe({}, STAGED), tmp_path, monkeypatch)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["learning_rate"].iloc[0] == pytest.approx(1e-2)
    assert not list(tmp_path.glob("stage-*"))


@pytest.mark.slow
def test_a_fold_in_stages_is_taken_up_with_the_same_bytes(
    demo: PreparedDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe({}, STAGED)
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, whole, 5, Silent())
    other = train_halved(demo, recipe, halved, monkeypatch)
    one = pd.read_csv(whole / "history.csv")
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"))
    kept, again = (Predictions.load(f / "validation.npz") for f in (whole, halved))
    np.testing.assert_array_equal(kept.probabilities, again.probabilities)


@pytest.mark.slow
def test_a_first_stage_leaves_the_layers_that_do_not_learn_yet(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    stage = "stages=[{epochs = 1, trainable = 'head', augmented = false}]"
    recipe = make_recipe({}, ["model=mobilenet_025", "learning_rate=1e-12", "epochs=1", stage])
    keras.utils.set_random_seed(0)
    born = build_model(demo.prepared, recipe)
    save_weights(born, tmp_path / "born.weights.h5")
    train_fold(
        demo.prepared, recipe, demo.prepared.fold, 0, tmp_path / "fold", 5, Silent(),
        FoldOptions(weights=lambda fold: [tmp_path / "born.weights.h5"]),
    )  # fmt: skip
    learned = build_model(demo.prepared, recipe, [tmp_path / "fold" / "model.weights.h5"])
    before, after = (
        {v.path: v.numpy() for v in model.trainable_variables if "kernel" in v.path}
        for model in (born, learned)
    )
    for path, value in before.items():
        moved = float(np.abs(after[path] - value).max())
        assert (moved > 1e-8) == path.startswith("logits"), path


def test_a_fold_ends_in_time_with_its_best_epoch(
    demo: PreparedDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, notes = make_recipe({}, ["epochs=50", "model_options.width=4"]), _Notes()
    now = iter(range(10**6))
    # A second passes each time the clock is looked at, which is twice a batch.
    monkeypatch.setattr(deadline, "monotonic", lambda: float(next(now)))
    summary = train_fold(
        demo.prepared,
        recipe,
        demo.prepared.fold,
        0,
        tmp_path,
        5,
        notes,
        FoldOptions(time=TimeBudget(Deadline.within(60.0))),
    )
    assert summary.ended == "out of time"
    assert "out of time after" in notes.told[0]
    history = pd.read_csv(tmp_path / "history.csv")
    kept = Predictions.load(tmp_path / "validation.npz")
    assert len(history) < 50
    data = FoldData(demo.prepared, demo.prepared.fold, 0)
    model = build_model(demo.prepared, recipe, [tmp_path / "model.weights.h5"])
    answers = data.fitting(model, recipe, 5).answers(["identity"])
    loss = -np.log(answers[np.arange(len(answers)), kept.truth]).mean()
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-3)


def test_a_fold_that_learns_no_more_ends_early(demo: PreparedDemo, tmp_path: Path) -> None:
    changes = ["epochs=30", "patience=1", "learning_rate=0.3", "model_options.width=4", "steps=2"]
    fold_of = demo.prepared.fold
    summary = train_fold(demo.prepared, make_recipe({}, changes), fold_of, 0, tmp_path, 5, Silent())
    losses = pd.read_csv(tmp_path / "history.csv")["val_loss"]
    assert summary.ended == "early"
    assert losses.argmin() == len(losses) - 2


@pytest.mark.parametrize(
    "precision", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
def test_mixed_precision_keeps_weights_and_answers_whole(
    demo: PreparedDemo, tmp_path: Path, precision: str
) -> None:
    changes = ["epochs=1", "model_options.width=4", f"precision={precision}", "steps=2"]
    recipe = make_recipe({}, changes)
    train_fold(demo.prepared, recipe, demo.prepared.fold, 0, tmp_path, 5, Silent())
    assert keras.config.dtype_policy().name == "float32"
    kept = Predictions.load(tmp_path / "validation.npz")
    np.testing.assert_allclose(kept.probabilities.sum(axis=1), 1.0, rtol=1e-5)
    model = build_model(demo.prepared, recipe, [tmp_path / "model.weights.h5"])
    answers = FoldData(demo.prepared, demo.prepared.fold, 0).fitting(model, recipe, 5).answers
    np.testing.assert_allclose(answers(recipe.views), kept.probabilities, atol=0.02)


class _Notes(Silent):
    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)
