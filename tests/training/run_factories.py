"""Finished runs whose weights are chance, since no test of theirs needs what they have learned."""

from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.run_record import WEIGHTS, fold_folder
from kagglecxr.data.index import write_folds
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.training.fold import FoldSummary
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.run_results import finish_run
from kagglecxr.training.stage import build_model
from tests.conftest import PreparedDemo

TINY = ("model_options.width=4", "batch_size=64")


def make_run(
    played: PreparedDemo,
    name: str,
    seed: int,
    fold_of: npt.NDArray[np.intp] | None = None,
    wrong: bool = False,
) -> Path:
    """A run whose out-of-fold answers are chance, or all wrong."""
    prepared, recipe = played.prepared, make_recipe({}, TINY)
    fold_of = prepared.fold if fold_of is None else fold_of
    folder = played.workspace.runs / name
    ids = prepared.index.column("id", prepared.index.rows("train"))
    write_folds(folder / "folds.csv", ids, fold_of)
    summaries = []
    for fold in range(int(fold_of.max()) + 1):
        keras.utils.set_random_seed(10 * seed + fold)
        save_weights(build_model(prepared, recipe), fold_folder(folder, fold) / WEIGHTS)
        data = FoldData(prepared, fold_of, fold)
        truth = data.held_out_truth()
        answers = np.random.default_rng(seed).dirichlet(np.ones(4), len(truth)).astype(np.float32)
        if wrong:
            answers = np.eye(4, dtype=np.float32)[(truth + 1) % 4]
        held_out = Predictions(data.held_out_ids(), answers, truth)
        held_out.save(fold_folder(folder, fold) / "validation.npz")
        summaries.append(FoldSummary(10.0 * seed + fold, {"all": 1, "trainable": 1}, {}))
    finish_run(folder, prepared, recipe, played.workspace, summaries, seed)
    return folder
