"""Figures and tables of one run, in its folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix as count_confusions

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import write_table
from kagglecxr.core.finding_metrics import finding_table
from kagglecxr.core.run_record import OOF, RunRecord, fold_folder, read_run
from kagglecxr.inference.predictions import Predictions
from kagglecxr.reports.run_figures import (
    class_areas,
    class_scores,
    confusion_matrix,
    error_by_class,
    learning_curves,
    save_figure,
)

CURVES, CONFUSION, ERRORS_BY_CLASS = "learning_curves.png", "confusion.png", "error_by_class.png"
CLASS_TABLE, ERROR_LIST = "classes.csv", "errors.csv"
FINDING_TABLE = "findings.csv"


def report_run(run: Path) -> list[Path]:
    """Writes figures and tables of a finished run and its out-of-fold predictions.

    Returns:
        The files: learning curves, confusion matrix, error by class as a figure and a table, and
        the list of errors, the most confident first. Of findings, learning curves and the table of
        `finding_table`.
    """
    record = read_run(run)
    save_figure(learning_curves(read_histories(run, record)), run / CURVES)
    oof = Predictions.load(run / OOF)
    if record.multilabel:
        table = finding_table(oof.truth, oof.probabilities, record.targets)
        write_table(run / FINDING_TABLE, table.round(4))
        return [run / CURVES, run / FINDING_TABLE]
    confusion = count_confusions(
        oof.truth, oof.probabilities.argmax(axis=1), labels=range(len(record.targets))
    )
    title = f"{record.name}, out-of-fold"
    save_figure(confusion_matrix(confusion, record.targets, title), run / CONFUSION)
    table = class_scores(confusion, record.targets)
    save_figure(error_by_class(table, title), run / ERRORS_BY_CLASS)
    areas = class_areas(oof.truth, oof.probabilities)
    write_table(run / CLASS_TABLE, table.join(areas).round(4))
    write_table(run / ERROR_LIST, list_errors(oof, record.targets))
    return [run / n for n in (CURVES, CONFUSION, ERRORS_BY_CLASS, CLASS_TABLE, ERROR_LIST)]


def read_histories(run: Path, record: RunRecord) -> list[pd.DataFrame]:
    """Returns the table of epochs of each fold.

    Raises:
        DataError: one of them is missing or damaged.
    """
    return [_history(fold_folder(run, k) / "history.csv") for k in range(record.folds)]


def _history(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"A fold's history cannot be read. Received: {path}. Train that run again, or remove "
            "its folder."
        ) from error


def list_errors(oof: Predictions, targets: Sequence[str]) -> pd.DataFrame:
    """Returns `id,true,predicted,confidence,true_probability`, most confident errors first."""
    predicted = oof.probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != oof.truth)
    names = np.array(targets, dtype=object)
    table = pd.DataFrame(
        {
            "id": oof.ids[wrong],
            "true": names[oof.truth[wrong]],
            "predicted": names[predicted[wrong]],
            "confidence": oof.probabilities[wrong, predicted[wrong]].round(4),
            "true_probability": oof.probabilities[wrong, oof.truth[wrong]].round(4),
        }
    )
    return table.sort_values("confidence", ascending=False, kind="stable")
