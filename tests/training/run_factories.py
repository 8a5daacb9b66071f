"""Run specifications, and finished runs with random weights for tests of what reads them."""

from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.progress import Reporter, Silent
from kagglecxr.core.run_record import WEIGHTS
from kagglecxr.data.index import write_folds
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.training.fold import FoldOptions, FoldSummary, train_fold
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.run_results import finish_run
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.stage import build_model
from kagglecxr.training.tasks import make_task
from tests.conftest import PreparedDemo

# The optimizer that is traced in the shortest time.
TINY = ("model_options.width=4", "batch_size=64", "optimizer=sgd")


def run_spec(demo: PreparedDemo, recipe: Recipe, folder: Path, seed: int = 5) -> RunSpec:
    """A run on the prepared folds."""
    prepared = demo.prepared
    return RunSpec(make_task(prepared), demo.workspace, recipe, prepared.fold, seed, folder)


def fold_data(demo: PreparedDemo, fold: int = 0) -> FoldData:
    """The data of one of the prepared folds."""
    return FoldData(make_task(demo.prepared), demo.prepared.fold, fold)


def train_demo_fold(
    demo: PreparedDemo,
    recipe: Recipe,
    folder: Path,
    options: FoldOptions = FoldOptions(),  # noqa: B008 frozen
    fold: int = 0,
    reporter: Reporter | None = None,
) -> Path:
    """Trains one of the prepared folds of a run in `folder`; the fold's folder."""
    run = run_spec(demo, recipe, folder)
    train_fold(run, fold, reporter or Silent(), options)
    return run.fold_folder(fold)


def make_run(
    demo: PreparedDemo,
    name: str,
    seed: int,
    fold_of: npt.NDArray[np.intp] | None = None,
    wrong: bool = False,
) -> Path:
    """A run whose out-of-fold predictions are random, or all wrong."""
    prepared, recipe = demo.prepared, make_recipe({}, TINY)
    fold_of = prepared.fold if fold_of is None else fold_of
    folder = demo.workspace.runs / name
    run = RunSpec(make_task(prepared), demo.workspace, recipe, fold_of, seed, folder)
    ids = prepared.index.column("id", prepared.index.rows("train"))
    write_folds(folder / "folds.csv", ids, fold_of)
    for fold in range(run.folds):
        keras.utils.set_random_seed(10 * seed + fold)
        save_weights(build_model(run.task, recipe), run.fold_folder(fold) / WEIGHTS)
        data = FoldData(run.task, fold_of, fold)
        truth = data.task.targets(data.held_out).argmax(axis=1)
        outputs = np.random.default_rng(seed).dirichlet(np.ones(4), len(truth)).astype(np.float32)
        if wrong:
            outputs = np.eye(4, dtype=np.float32)[(truth + 1) % 4]
        # Without single views: they are predicted where they are needed.
        ids_of_fold = np.array(ids)[data.held_out]
        Predictions(ids_of_fold, outputs, truth).save(run.fold_folder(fold) / "validation.npz")
        summary = FoldSummary(10.0 * seed + fold, {"all": 1, "trainable": 1}, {})
        summary.write(run.fold_folder(fold))
    finish_run(run)
    return folder
