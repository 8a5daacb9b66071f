"""Trains the folds of a run and writes down what came out."""

import importlib.metadata
import platform
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.files import digest, file_digest, write_json
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.progress import Reporter
from kagglecxr.core.randomness import derive_seed
from kagglecxr.core.run import WEIGHTS, RunRecord, fold_folder, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.folds import make_folds
from kagglecxr.data.index import read_folds, write_folds
from kagglecxr.data.preparation import Prepared
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.runtime import list_devices, start_keras
from kagglecxr.training.fold import FoldSummary, input_shape, train_fold
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.starting_weights import Split, reachable, starting_weights

_LIBRARIES = ("kagglecxr", "keras", "tensorflow", "numpy", "pandas", "scikit-learn")


def run_name(prepared: Prepared, recipe: Recipe, folds: int, seed: int) -> str:
    """The name of a run: its model, and a digest of all that decides its outcome."""
    decided = digest(
        recipe.model_dump(mode="json"), prepared.cache.key, folds, seed, _split(prepared)
    )
    return f"{recipe.model}-{decided[:8]}"


def train_run(
    prepared: Prepared,
    workspace: Workspace,
    recipe: Recipe,
    reporter: Reporter,
    *,
    folds: int | None = None,
    only_fold: int | None = None,
    seed: int = 0,
) -> Path:
    """Trains the folds that are not yet trained; writes run.json once all are.

    Args:
        prepared: the data.
        workspace: where the run's folder goes.
        recipe: how to train.
        reporter: told of every batch.
        folds: how many; those that `prepare` made where None.
        only_fold: train this one alone; others may follow in later calls, or on other machines.
        seed: fixes all chance.

    Returns:
        The run's folder, the same for the same data, recipe, folds and seed.

    Raises:
        SettingError: no such fold.
        DataError: fewer than two folds' worth of groups in a class.
    """
    fold_of = _fold_of(prepared, folds, seed)
    count = int(fold_of.max()) + 1
    if only_fold is not None and not 0 <= only_fold < count:
        raise SettingError(
            f"There is no such fold. Received: --fold {only_fold} of {count} folds. "
            f"Use 0 to {count - 1}."
        )
    folder = workspace.runs / run_name(prepared, recipe, count, seed)
    _begin(folder, prepared, recipe, fold_of, seed)
    if (folder / "run.json").is_file():
        reporter.note(f"This run is finished already: {folder}")
        return folder
    sources = reachable(recipe, reporter)
    split = Split.of(workspace, folder / "folds.csv")

    def weights(fold: int) -> list[Path]:
        return starting_weights(sources, recipe.model, fold, split, prepared, fold_of)

    wanted = range(count) if only_fold is None else [only_fold]
    for fold in wanted:
        place = fold_folder(folder, fold)
        train_fold(prepared, recipe, fold_of, fold, place, seed, reporter, weights)
    if all((fold_folder(folder, fold) / "fold.json").is_file() for fold in range(count)):
        summaries = [
            train_fold(prepared, recipe, fold_of, fold, fold_folder(folder, fold), seed, reporter)
            for fold in range(count)
        ]
        _finish(folder, prepared, recipe, workspace, summaries, seed)
    return folder


def describe_run(run: Path) -> str:
    """One sentence on a finished run, for a verb's last line."""
    record = read_run(run)
    return (
        f"Trained {record.folds} folds of {record.model} in {sum(record.seconds):.0f} s, "
        f"out-of-fold accuracy {record.metrics['oof_accuracy']:.4f}, balanced "
        f"{record.metrics['oof_balanced_accuracy']:.4f}: {run}."
    )


def _split(prepared: Prepared) -> str:
    table = prepared.index.table
    return digest(list(table["id"]), list(table["split"]), prepared.fold.tolist())


def _fold_of(prepared: Prepared, folds: int | None, seed: int) -> npt.NDArray[np.intp]:
    if folds is None or folds == prepared.fold.max() + 1:
        return prepared.fold
    train = prepared.index.rows("train")
    label, group, source = (
        prepared.index.column(name, train) for name in ("label", "group", "source")
    )
    return make_folds(label, group, source, folds, derive_seed(seed, "folds"))


def _begin(
    folder: Path, prepared: Prepared, recipe: Recipe, fold_of: npt.NDArray[np.intp], seed: int
) -> None:
    """Writes what the run is to be, so that another machine can go on with it."""
    write_json(folder / "recipe.json", {"seed": seed, **recipe.model_dump(mode="json")})
    ids = prepared.index.column("id", prepared.index.rows("train"))
    path = folder / "folds.csv"
    if path.is_file() and not np.array_equal(read_folds(path, prepared.index), fold_of):
        raise DataError(
            f"A run's folds are not those of the data any more. Received: {path}. Remove the "
            "run's folder and train again."
        )
    write_folds(path, ids, fold_of)


def _finish(
    folder: Path,
    prepared: Prepared,
    recipe: Recipe,
    workspace: Workspace,
    summaries: Sequence[FoldSummary],
    seed: int,
) -> None:
    parts = [
        Predictions.load(fold_folder(folder, fold) / "validation.npz")
        for fold in range(len(summaries))
    ]
    oof = Predictions(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.truth for part in parts]),
    )
    oof.save(folder / "oof.npz")
    last = [summary.last_epoch for summary in summaries]
    means = {
        key: float(np.mean([epoch[key] for epoch in last]))
        for key in ("loss", "accuracy", "val_loss", "val_accuracy")
    }
    scores = {
        f"oof_{name}": METRICS[name](oof.truth, oof.probabilities) for name in METRICS.names()
    }
    RunRecord(
        name=folder.name,
        competition=prepared.competition.name,
        model=recipe.model,
        recipe=recipe.model_dump(mode="json"),
        seed=seed,
        folds=len(summaries),
        targets=prepared.competition.targets(),
        input_shape=input_shape(prepared),
        data={
            "index": file_digest(workspace.index),
            "folds": file_digest(folder / "folds.csv"),
            "cache": prepared.cache.key,
        },
        parameters=summaries[0].parameters,
        megabytes=round((fold_folder(folder, 0) / WEIGHTS).stat().st_size / 1e6, 2),
        versions=_versions(),
        machine={"backend": start_keras(), "devices": list_devices()},
        seconds=[summary.seconds for summary in summaries],
        metrics=means | scores,
    ).write(folder)


def _versions() -> dict[str, str]:
    # OpenCV comes as one of several distributions, so the module is asked.
    known = {"python": platform.python_version(), "opencv": cv2.__version__}
    for name in _LIBRARIES:
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            known[name] = "not installed"
    return known
