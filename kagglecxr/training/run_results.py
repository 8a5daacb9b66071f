"""Gathers the folds of a run: out-of-fold predictions, and run.json last of all."""

import importlib.metadata
import platform
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from kagglecxr.core.files import file_digest
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.run_record import WEIGHTS, RunRecord, fold_folder
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepare import PreparedData
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.runtime import list_devices, setup_keras
from kagglecxr.training.fold import FoldSummary
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.stage import input_shape

SOURCE_RUNS = "made_of"
"""Among a record's data: the runs whose weights are in it, or the one that labelled test images."""
_LIBRARIES = ("kagglecxr", "keras", "tensorflow", "numpy", "pandas", "scikit-learn")


def finish_run(
    folder: Path,
    prepared: PreparedData,
    recipe: Recipe,
    workspace: Workspace,
    summaries: Sequence[FoldSummary],
    seed: int,
    made_of: Sequence[str] = (),
) -> None:
    """Writes oof.npz and run.json from the folds' files.

    Args:
        folder: the run's, with every fold's weights and validation.npz, and folds.csv.
        prepared: the data.
        recipe: how it was trained.
        workspace: the competition's.
        summaries: of the folds; figures that not all of them have are left out.
        seed: of the run.
        made_of: the names of the runs that it is made of, or learned from.
    """
    oof = concatenate_folds(
        [
            Predictions.load(fold_folder(folder, fold) / "validation.npz")
            for fold in range(len(summaries))
        ]
    )
    oof.save(folder / "oof.npz")
    last = [summary.last_epoch for summary in summaries]
    means = {
        key: float(np.mean([epoch[key] for epoch in last]))
        for key in ("loss", "accuracy", "val_loss", "val_accuracy")
        if all(key in epoch for epoch in last)
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
            **({SOURCE_RUNS: " ".join(made_of)} if made_of else {}),
        },
        parameters=summaries[0].parameters,
        megabytes=round((fold_folder(folder, 0) / WEIGHTS).stat().st_size / 1e6, 2),
        versions=_versions(),
        machine={"backend": setup_keras(), "devices": list_devices()},
        seconds=[summary.seconds for summary in summaries],
        metrics=means | scores,
        pipeline=prepared.pipeline_text,
    ).write(folder)


def concatenate_folds(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several folds as those of one run."""
    return Predictions(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.truth for part in parts]),
    )


def _versions() -> dict[str, str]:
    # OpenCV comes as one of several distributions, so the module is asked.
    known = {"python": platform.python_version(), "opencv": cv2.__version__}
    for name in _LIBRARIES:
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            known[name] = "not installed"
    return known
