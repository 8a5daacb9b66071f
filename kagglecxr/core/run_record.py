"""A training run as its folder tells it: run.json, and where its other files lie."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json, write_json

WEIGHTS = "model.weights.h5"
"""What a run keeps of each fold, in the fold's folder."""


@dataclass(frozen=True)
class RunRecord:
    """What run.json says.

    Attributes:
        name: the run's, also its folder's.
        competition: whose data it was trained on.
        model: the zoo's name.
        recipe: the whole recipe.
        seed: from which all chance was derived.
        folds: how many folds the training part was split into.
        targets: the targets' names, in the order of the outputs.
        input_shape: (H, W, C) of one image.
        data: hashes of the index and the folds, the cache's key, and under `made_of` the runs whose
            weights are in it, or the one that labelled its test images.
        parameters: the model's, trainable ones and all.
        megabytes: of one fold's weights.
        versions: of Python and the libraries that matter.
        machine: the Keras backend and the accelerators it saw.
        seconds: training time of each finished fold.
        metrics: means over the folds of the last epoch's losses and accuracies, and scores of
            the out-of-fold predictions.
        pipeline: what was done to the images before the model saw them; empty in records of before
            it was kept.
    """

    name: str
    competition: str
    model: str
    recipe: dict[str, Any]
    seed: int
    folds: int
    targets: list[str]
    input_shape: tuple[int, int, int]
    data: dict[str, str]
    parameters: dict[str, int]
    megabytes: float
    versions: dict[str, str]
    machine: dict[str, Any]
    seconds: list[float]
    metrics: dict[str, float]
    pipeline: str = ""

    def write(self, folder: Path) -> None:
        """Writes run.json, last of all: a run without it is not finished."""
        write_json(folder / "run.json", dataclasses.asdict(self))


def read_run(folder: Path) -> RunRecord:
    """Reads a finished run's run.json.

    Raises:
        DataError: it is damaged or was written by another version.
    """
    path = folder / "run.json"
    try:
        values = read_json(path)
        values["input_shape"] = tuple(values["input_shape"])
        return RunRecord(**values)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"A run's record cannot be read. Received: {path} ({error}). Train that run again, or "
            "remove its folder."
        ) from error


def finished_runs(runs: Path) -> list[Path]:
    """The folders of finished runs, oldest first."""
    return [path.parent for path in sorted(runs.glob("*/run.json"), key=_written)]


def fold_folder(run: Path, fold: int) -> Path:
    """Where one fold's weights and history lie."""
    return run / f"fold-{fold}"


def _written(path: Path) -> tuple[float, str]:
    return path.stat().st_mtime, path.parent.name
