"""A small finished run, made by hand so that every figure in the reports is known."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.files import write_table
from kagglecxr.core.run_record import RunRecord, fold_folder
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import COLUMNS, Index, write_index
from kagglecxr.inference.predictions import Predictions

TARGETS = ["covid-19", "normal", "viral-pneumonia"]
RECORD = RunRecord(
    name="cnn_small-0123",
    competition="demo",
    model="cnn_small",
    recipe={"model": "cnn_small", "epochs": 2},
    seed=0,
    folds=2,
    targets=TARGETS,
    input_shape=(48, 48, 1),
    data={"index": "aa", "folds": "bb", "cache": "cc"},
    parameters={"all": 1_234_567, "trainable": 1_000_000},
    megabytes=4.938,
    versions={"python": "3.11"},
    machine={"backend": "tensorflow", "devices": []},
    seconds=[10.4, 20.3],
    metrics={
        "loss": 0.512345,
        "accuracy": 0.81234,
        "val_loss": 0.61,
        "val_accuracy": 0.75,
        "oof_accuracy": 4 / 6,
        "oof_auc": 0.9,
        "oof_balanced_accuracy": 13 / 18,
        "oof_log_loss": 0.7,
        "oof_macro_f1": 0.65,
    },
)
OUT_OF_FOLD = {
    "a0": (0, [0.90, 0.05, 0.05]),
    "a1": (0, [0.20, 0.70, 0.10]),
    "a2": (0, [0.60, 0.30, 0.10]),
    "b0": (1, [0.10, 0.80, 0.10]),
    "b1": (1, [0.05, 0.05, 0.90]),
    "c0": (2, [0.30, 0.30, 0.40]),
}
"""Of each image its true target and its probabilities; a1 and b1 are wrong."""

TEST = {
    "t0": (0, [0.50, 0.25, 0.25]),
    "t1": (1, [0.60, 0.40, 0.00]),
    "t2": (2, [0.10, 0.10, 0.80]),
    "t3": (1, [0.00, 1.00, 0.00]),
}
"""The rehearsal test set; t1 is wrong."""

MakeRun = Callable[..., Path]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with an index, a rehearsal test set and no run; every image is a group."""
    workspace = Workspace(tmp_path / "work", "demo")
    labels = [TARGETS[truth] for truth, _ in TEST.values()]
    solution = pd.DataFrame({"id": list(TEST), "label": labels, "group": list(TEST)})
    write_table(workspace.solution, solution)
    train = [(name, TARGETS[truth], "train") for name, (truth, _) in OUT_OF_FOLD.items()]
    rows = [*train, *((name, "", "test") for name in TEST)]
    index = pd.DataFrame(rows, columns=["id", "label", "split"])
    index = index.assign(path=index["id"], group=index["id"]).reindex(
        columns=COLUMNS, fill_value=""
    )
    write_index(workspace.index, Index(index))
    return workspace


@pytest.fixture
def make_run(workspace: Workspace) -> MakeRun:
    """Makes the folder of a finished run; what its record says otherwise can be given."""

    def make(**changes: object) -> Path:
        record = dataclasses.replace(RECORD, **changes)  # type: ignore[arg-type]
        run = workspace.runs / record.name
        for fold in range(record.folds):
            history = pd.DataFrame(
                {
                    "epoch": [1, 2],
                    "loss": [1.0 - fold / 10, 0.5],
                    "accuracy": [0.5, 0.8 + fold / 10],
                    "val_loss": [1.1, 0.6],
                    "val_accuracy": [0.4, 0.7],
                }
            )
            write_table(fold_folder(run, fold) / "history.csv", history)
        save(run / "oof.npz", OUT_OF_FOLD)
        record.write(run)
        return run

    return make


def save(
    path: Path, images: dict[str, tuple[int, list[float]]], *, is_labelled: bool = True
) -> None:
    """Writes predictions as a run keeps them."""
    truth = [true if is_labelled else -1 for true, _ in images.values()]
    given = np.array([probabilities for _, probabilities in images.values()], np.float32)
    Predictions(np.array(list(images)), given, np.array(truth, np.intp)).save(path)
