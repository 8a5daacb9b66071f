"""The results of a run whose folds are all trained: out-of-fold predictions and run.json."""

import importlib.metadata
import platform
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import file_digest, read_json
from kagglecxr.core.run_record import OOF, WEIGHTS, RunRecord
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import read_folds
from kagglecxr.data.predicted_masks import index_digest
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.novelty import write_threshold
from kagglecxr.models.runtime import list_devices, setup_keras
from kagglecxr.training.fold import FoldSummary
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.run_spec import RunSpec, run_name
from kagglecxr.training.stage import input_shape
from kagglecxr.training.tasks import make_task

SOURCE_RUNS = "source_runs"
_LIBRARIES = ("kagglecxr", "keras", "tensorflow", "numpy", "pandas", "scikit-learn")


def finish_run(run: RunSpec, source_runs: Sequence[str] = ()) -> None:
    """Writes oof.npz, novelty.json and run.json of a run whose folds are all finished.

    The source runs are those whose weights it averages or whose labels it learned from.
    """
    folders = [run.fold_folder(fold) for fold in range(run.folds)]
    summaries = [FoldSummary.read(folder) for folder in folders]
    oof = run.task.load_held_out([folder / "validation.npz" for folder in folders])
    oof.save(run.folder / OOF)
    write_threshold(run.folder, run.folds)
    scores = {f"oof_{name}": score for name, score in oof.scores().items()}
    RunRecord(
        name=run.folder.name,
        competition=run.prepared.competition.name,
        model=run.recipe.model,
        recipe=run.recipe.model_dump(mode="json"),
        seed=run.seed,
        folds=run.folds,
        targets=run.task.output_names,
        input_shape=input_shape(run.prepared),
        data={
            "index": index_digest(run.workspace),
            "folds": file_digest(run.folder / "folds.csv"),
            "cache": run.prepared.cache.key,
            **({SOURCE_RUNS: " ".join(source_runs)} if source_runs else {}),
        },
        parameters=summaries[0].parameters,
        megabytes=round((folders[0] / WEIGHTS).stat().st_size / 1e6, 2),
        versions=_versions(),
        machine={"backend": setup_keras(), "devices": list_devices()},
        seconds=[summary.seconds for summary in summaries],
        metrics=_mean_epoch(run, summaries) | scores,
        pipeline=run.prepared.pipeline_text,
        multilabel=bool(run.task.head.get("multilabel")),
    ).write(run.folder)


def assemble_run(folder: Path, prepared: PreparedData, workspace: Workspace) -> list[int]:
    """Finishes a run whose folds were trained elsewhere, once all of them are in its folder.

    Returns:
        The folds that are still missing.

    Raises:
        DataError: it was trained on other data, or on other folds of them.
    """
    values = read_json(folder / "recipe.json")
    seed = int(values.pop("seed"))
    recipe, fold_of = (
        Recipe.model_validate(values),
        read_folds(folder / "folds.csv", prepared.index),
    )
    run = RunSpec(make_task(prepared), workspace, recipe, fold_of, seed, folder)
    if folder.name != run_name(prepared, recipe, run.folds, seed):
        raise DataError(
            f"A run was trained on other data than those prepared here. Received: {folder.name}. "
            "Run prepare with the size, pipeline, test share and seed of its kernel's script."
        )
    missing = run.missing_folds()
    if not missing and not (folder / "run.json").is_file():
        finish_run(run)
    return missing


def _mean_epoch(run: RunSpec, summaries: Sequence[FoldSummary]) -> dict[str, float]:
    """The means over the folds of the last epoch's losses and metrics, if all folds have them."""
    last = [summary.last_epoch for summary in summaries]
    names = ("loss", *(metric.name for metric in run.task.epoch_metrics()))
    return {
        key: float(np.mean([epoch[key] for epoch in last]))
        for key in (*names, *(f"val_{name}" for name in names))
        if all(key in epoch for epoch in last)
    }


def _versions() -> dict[str, str]:
    # OpenCV is installed from one of several distributions, so its version is the module's.
    known = {"python": platform.python_version(), "opencv": cv2.__version__}
    for name in _LIBRARIES:
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            known[name] = "not installed"
    return known
