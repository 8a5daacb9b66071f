"""Training runs on disk: run.json and the folders of their folds."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json, read_table, write_json

WEIGHTS = "model.weights.h5"
"""The weights file in each fold's folder."""
OOF, TEST = "oof.npz", "test.npz"
"""The files of out-of-fold predictions, and of those of the test set."""
NOVELTY, NOVELTY_THRESHOLD = "novelty.npz", "novelty.json"
"""The file in each fold's folder, and in the run's, that tell unusual images."""


@dataclass(frozen=True)
class RunRecord:
    """The contents of run.json.

    Attributes:
        targets: the targets' names, in the order of the outputs.
        input_shape: (H, W, C) of one image.
        data: hashes of the index and the folds, the cache's key, and under `source_runs` the runs
            whose weights it contains or the one whose predictions are its pseudo-labels.
        parameters: numbers of trainable and of all parameters.
        megabytes: size of one fold's weights.
        seconds: training time of each finished fold.
        metrics: means over the folds of the last epoch's losses and accuracies, and scores of
            the out-of-fold predictions.
        pipeline: the preprocessing of its images; empty in older records.
        multilabel: whether an image may have several of the targets.
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
    multilabel: bool = False

    def write(self, folder: Path) -> None:
        """Writes run.json, which marks the run as finished."""
        write_json(folder / "run.json", dataclasses.asdict(self))


def unreadable_predictions(path: Path) -> str:
    """Returns the message on a damaged or missing file of predictions, with what brings it back."""
    if path.name != OOF:
        return (
            f"A file of predictions cannot be read. Received: {path}. Remove it and run the step "
            "that writes it again."
        )
    # A run without its record is finished anew, from what its folds have predicted.
    return (
        f"Out-of-fold predictions cannot be read. Received: {path}. Remove "
        f"{path.with_name('run.json')} and run the command that trained it: nothing is trained "
        "again."
    )


def read_run(folder: Path) -> RunRecord:
    """Reads a finished run's run.json.

    Raises:
        DataError: it is damaged or written by another version.
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


def finished_runs(runs: Path, *, segmentation: bool = False) -> list[Path]:
    """Returns the folders of finished runs that classify, or that segment, oldest first."""
    records = [(path.stat().st_mtime, path.parent.name) for path in runs.glob("*/run.json")]
    return [runs / name for _, name in sorted(records) if segments(runs / name) == segmentation]


def segments(run: Path) -> bool:
    """Whether a finished run learned masks; one whose record is damaged counts as a classifier."""
    try:
        return read_json(run / "run.json")["recipe"].get("segmentation") is not None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False


def held_out_folds(run: Path) -> dict[str, int]:
    """Returns the fold that held out each image that a run learned from, by the image's id.

    Raises:
        MissingError: the run has no table of its folds.
    """
    folds = read_table(run / "folds.csv")
    return dict(zip(folds["id"], folds["fold"].astype(int), strict=True))


def fold_folder(run: Path, fold: int) -> Path:
    """Returns the folder of one fold's weights and history."""
    return run / f"fold-{fold}"
