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
from kagglecxr.core.seeding import derive_seed
from kagglecxr.data.index import Index
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.batch_norm import recalibrate_batch_norm
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.models.weights.loading import load_weights
from kagglecxr.training.callbacks.resume_checkpoint import ResumeCheckpoint
from kagglecxr.training.fold import FoldOptions, FoldSummary
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.stage import build_model
from kagglecxr.training.tasks import make_task
from tests.conftest import PreparedDemo
from tests.notes import Notes
from tests.training.eager_models import eagerly
from tests.training.run_factories import TINY, fold_data, train_demo_fold


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return make_recipe({}, ["epochs=3", "model_options.width=4", "batch_size=16"])


@pytest.fixture(scope="module")
def trained(demo: PreparedDemo, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_demo_fold(demo, recipe, tmp_path_factory.mktemp("fold"))


def test_a_finished_fold_holds_weights_history_and_predictions(
    trained: Path, demo: PreparedDemo, recipe: Recipe
) -> None:
    assert sorted(path.name for path in trained.iterdir()) == [
        "fold.json", "history.csv", "model.weights.h5", "novelty.npz", "tensorboard",
        "validation.npz",
    ]  # fmt: skip
    history = pd.read_csv(trained / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"} <= set(history.columns)
    kept = Predictions.load(trained / "validation.npz")
    train = demo.prepared.index.rows("train")
    expected = demo.prepared.index.column("id", train[demo.prepared.fold == 0])
    assert kept.ids.tolist() == expected
    np.testing.assert_allclose(kept.probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert list(kept.by_view) == ["identity", "hflip"]
    mean = np.mean(list(kept.by_view.values()), axis=0, dtype=np.float64)
    np.testing.assert_allclose(kept.probabilities, mean, rtol=1e-6)
    assert not np.allclose(*kept.by_view.values())


def test_plain_images_are_those_of_the_other_folds_as_they_are(
    demo: PreparedDemo, recipe: Recipe
) -> None:
    seen = np.concatenate(list(fold_data(demo).plain_images(recipe, 5)))
    rows = demo.prepared.index.rows("train")[demo.prepared.fold != 0]
    known = {demo.prepared.cache.images[row].tobytes() for row in rows}
    assert {image.astype(np.uint8).tobytes() for image in seen} == known


def test_statistics_measured_anew_are_those_of_the_kept_weights(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    changes = ["epochs=1", *TINY, 'batch_norm="recalibrated"']
    recipe = make_recipe({}, changes)
    with eagerly():
        folder = train_demo_fold(demo, recipe, tmp_path)
    model = build_model(make_task(demo.prepared), recipe)
    load_weights(model, folder / "model.weights.h5")
    before = model.get_weights()
    data = fold_data(demo)
    recalibrate_batch_norm(model, data.plain_images(recipe, derive_seed(5, "fold", 0)))
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_the_kept_weights_make_the_kept_predictions(
    trained: Path, demo: PreparedDemo, recipe: Recipe
) -> None:
    model = build_model(make_task(demo.prepared), recipe)
    model.load_weights(trained / "model.weights.h5")
    data = fold_data(demo)
    again = data.fit_inputs(model, recipe, 5).predict(recipe.views)
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
        patch.setattr("kagglecxr.training.stage.ResumeCheckpoint", _KillAfter)
        with pytest.raises(_KilledError):
            train_demo_fold(demo, recipe, tmp_path)
    assert not (tmp_path / "fold-0" / "fold.json").exists()
    resumed = train_demo_fold(demo, recipe, tmp_path)
    kept, again = (Predictions.load(f / "validation.npz") for f in (trained, resumed))
    np.testing.assert_array_equal(kept.probabilities, again.probabilities)
    one, other = (pd.read_csv(f / "history.csv") for f in (trained, resumed))
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"))


INSIDE = [
    *("epochs=2", "model_options.width=4", "batch_size=16", "optimizer=sgd"),
    *("augmentation.where=model", "augmentation.gamma=0.3", "augmentation.noise=0.03"),
    *("augmentation.cutout=0.3", "augmentation.mixup=0.2", "augmentation.cutmix=1.0"),
]


@pytest.mark.slow
def test_a_fold_augmented_in_its_model_is_taken_up_with_the_same_bytes(
    demo: PreparedDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe({}, INSIDE)
    whole, halved = train_demo_fold(demo, recipe, tmp_path / "whole"), tmp_path / "halved"
    with monkeypatch.context() as patch:
        patch.setattr("kagglecxr.training.stage.ResumeCheckpoint", _KillAfter)
        with pytest.raises(_KilledError):
            train_demo_fold(demo, recipe, halved)
    halved = train_demo_fold(demo, recipe, halved)
    one, other = (pd.read_csv(f / "history.csv") for f in (whole, halved))
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"))
    kept, again = (Predictions.load(f / "validation.npz") for f in (whole, halved))
    np.testing.assert_array_equal(kept.probabilities, again.probabilities)


def test_weights_learnt_under_augmentation_layers_predict_without_them(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    recipe = make_recipe({}, [*INSIDE, "epochs=1", "steps=5"])
    with eagerly():
        folder = train_demo_fold(demo, recipe, tmp_path)
    model = build_model(make_task(demo.prepared), make_recipe({}, ["model_options.width=4"]))
    load_weights(model, folder / "model.weights.h5")
    data = fold_data(demo)
    answers = data.fit_inputs(model, recipe, 5).predict(recipe.views)
    kept = Predictions.load(folder / "validation.npz")
    np.testing.assert_allclose(answers, kept.probabilities, atol=1e-6)


def test_a_damaged_resume_state_is_named(
    demo: PreparedDemo, recipe: Recipe, tmp_path: Path
) -> None:
    state = tmp_path / "fold-0" / "stage-1"
    state.mkdir(parents=True)
    (state / "resume.json").write_text(
        '{"weights": "resume-1.weights.h5", "dropout": [], "history": [{}]}'
    )
    (state / "resume-1.weights.h5").write_bytes(b"no hdf5")
    with pytest.raises(DataError, match=f"cannot be resumed.*{tmp_path.name}"):
        train_demo_fold(demo, recipe, tmp_path)


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
        train_demo_fold(dataclasses.replace(demo, prepared=leaking), recipe, tmp_path)


STAGED = [
    *("epochs=2", "model=mobilenet_025", "batch_norm=frozen", "batch_size=16", "ema=0.9"),
    *("schedule=plateau", "plateau_patience=1", "best_epochs=2", "steps=5", "layer_decay=0.9"),
    "stages=[{epochs = 1, trainable = 'head', learning_rate = 1e-2, augmented = false}]",
]


def train_halved(
    demo: PreparedDemo, recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> pd.DataFrame:
    """A fold that is killed after its second epoch and taken up again; its history."""
    with monkeypatch.context() as patch:
        patch.setattr(_KillAfter, "last", 2)
        patch.setattr("kagglecxr.training.stage.ResumeCheckpoint", _KillAfter)
        with pytest.raises(_KilledError):
            train_demo_fold(demo, recipe, folder)
    return pd.read_csv(train_demo_fold(demo, recipe, folder) / "history.csv")


@pytest.mark.slow
def test_a_fold_in_stages_is_taken_up(
    demo: PreparedDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with eagerly():
        small = ["model=cnn_small", "model_options.width=4", "steps=2"]
        history = train_halved(demo, make_recipe({}, [*STAGED, *small]), tmp_path, monkeypatch)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["learning_rate"].iloc[0] == pytest.approx(1e-2)
    assert (tmp_path / "fold-0" / "history.csv").is_file()
    assert not list((tmp_path / "fold-0").glob("stage-*"))


@pytest.mark.slow
def test_a_fold_in_stages_is_taken_up_with_the_same_bytes(
    demo: PreparedDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe({}, STAGED)
    whole = train_demo_fold(demo, recipe, tmp_path / "whole")
    other = train_halved(demo, recipe, tmp_path / "halved", monkeypatch)
    one = pd.read_csv(whole / "history.csv")
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"))
    halved = tmp_path / "halved" / "fold-0"
    kept, again = (Predictions.load(f / "validation.npz") for f in (whole, halved))
    np.testing.assert_array_equal(kept.probabilities, again.probabilities)


@pytest.mark.slow
def test_a_first_stage_leaves_the_layers_that_do_not_learn_yet(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    stage = "stages=[{epochs = 1, trainable = 'head', augmented = false}]"
    recipe = make_recipe({}, ["model=mobilenet_025", "learning_rate=1e-12", "epochs=1", stage])
    keras.utils.set_random_seed(0)
    born = build_model(make_task(demo.prepared), recipe)
    save_weights(born, tmp_path / "born.weights.h5")
    options = FoldOptions(weights=lambda: [tmp_path / "born.weights.h5"])
    folder = train_demo_fold(demo, recipe, tmp_path, options)
    learned = build_model(make_task(demo.prepared), recipe, [folder / "model.weights.h5"])
    before, after = (
        {v.path: v.numpy() for v in model.trainable_variables if "kernel" in v.path}
        for model in (born, learned)
    )
    for path, value in before.items():
        moved = float(np.abs(after[path] - value).max())
        assert (moved > 1e-8) == path.startswith("logits"), path


@pytest.mark.slow
def test_what_is_learned_from_smaller_images_is_taken_over(
    demo: PreparedDemo, tmp_path: Path
) -> None:
    stage = "stages=[{epochs = 2, trainable = 'all', side = 32, learning_rate = 1e-2}]"
    still = ["model=mobilenet_025", "batch_norm=frozen", "learning_rate=1e-12", "epochs=1"]
    recipe = make_recipe({}, [*still, "steps=4", "batch_size=16", "optimizer=sgd", stage])
    folder = train_demo_fold(demo, recipe, tmp_path)
    alone = make_recipe({}, [*still, "steps=4", "batch_size=16", "optimizer=sgd"])
    at_once = train_demo_fold(demo, alone, tmp_path / "alone")
    history = pd.read_csv(folder / "history.csv")
    assert history["learning_rate"].gt(1e-5).tolist() == [True, True, False]
    shapes = [
        [weight.shape for weight in build_model(make_task(demo.prepared), recipe, [path]).weights]
        for path in (folder / "model.weights.h5", at_once / "model.weights.h5")
    ]
    assert shapes[0] == shapes[1]
    assert history["loss"].iloc[2] < pd.read_csv(at_once / "history.csv")["loss"].iloc[0]


def test_a_fold_ends_in_time_with_its_best_epoch(
    demo: PreparedDemo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, notes = (
        make_recipe({}, ["epochs=50", "model_options.width=4", "optimizer=sgd"]),
        Notes(),
    )
    now = iter(range(10**6))
    # A second passes each time the clock is looked at, which is twice a batch.
    monkeypatch.setattr(deadline, "monotonic", lambda: float(next(now)))
    options = FoldOptions(budget=TimeBudget(Deadline.within(60.0)))
    folder = train_demo_fold(demo, recipe, tmp_path, options, reporter=notes)
    assert FoldSummary.read(folder).ended == "out of time"
    assert "out of time in epoch" in notes.told[0]
    history = pd.read_csv(folder / "history.csv")
    kept = Predictions.load(folder / "validation.npz")
    assert len(history) < 50
    data = fold_data(demo)
    model = build_model(make_task(demo.prepared), recipe, [folder / "model.weights.h5"])
    answers = data.fit_inputs(model, recipe, 5).predict(["identity"])
    loss = -np.log(answers[np.arange(len(answers)), kept.truth]).mean()
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-3)


def test_a_fold_that_learns_no_more_ends_early(demo: PreparedDemo, tmp_path: Path) -> None:
    changes = ["epochs=30", "patience=1", "learning_rate=0.3", "model_options.width=4", "steps=2"]
    with eagerly():
        folder = train_demo_fold(demo, make_recipe({}, changes), tmp_path)
    losses = pd.read_csv(folder / "history.csv")["val_loss"]
    assert FoldSummary.read(folder).ended == "early"
    assert losses.argmin() == len(losses) - 2


@pytest.mark.parametrize(
    "precision", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
def test_mixed_precision_keeps_weights_and_answers_whole(
    demo: PreparedDemo, tmp_path: Path, precision: str
) -> None:
    changes = ["epochs=1", "model_options.width=4", f"precision={precision}", "steps=2"]
    recipe = make_recipe({}, changes)
    with eagerly():
        folder = train_demo_fold(demo, recipe, tmp_path)
    assert keras.config.dtype_policy().name == "float32"
    kept = Predictions.load(folder / "validation.npz")
    np.testing.assert_allclose(kept.probabilities.sum(axis=1), 1.0, rtol=1e-5)
    model = build_model(make_task(demo.prepared), recipe, [folder / "model.weights.h5"])
    answers = fold_data(demo).fit_inputs(model, recipe, 5).predict
    np.testing.assert_allclose(answers(recipe.views), kept.probabilities, atol=0.02)
