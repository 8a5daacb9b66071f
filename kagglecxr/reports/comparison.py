"""The table that compares all runs of a competition."""

from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import MissingError
from kagglecxr.core.files import read_table, write_table, write_text
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.run_record import RunRecord, finished_runs, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.inference.predictions import Predictions
from kagglecxr.leaderboard.ledger import REHEARSED, LedgerEntry, read_ledger
from kagglecxr.reports.page import PageSection, render_page

METRIC_ROWS = {
    "Training loss": "loss",
    "Training accuracy": "accuracy",
    "Validation loss": "val_loss",
    "Validation accuracy": "val_accuracy",
    "Out-of-fold accuracy": "oof_accuracy",
    "Out-of-fold balanced accuracy": "oof_balanced_accuracy",
}


def compare_runs(workspace: Workspace, ledger_file: Path) -> pd.DataFrame:
    """Returns a table with a column per finished run and a row per figure; unknown cells are empty.

    Raises:
        MissingError: there is no finished run.
    """
    runs = finished_runs(workspace.runs)
    if not runs:
        raise MissingError(
            f"There are no finished runs to compare. Looked in: {workspace.runs}. "
            f"Run: {workspace.command('train')}"
        )
    ledger = read_ledger(ledger_file)
    columns = {}
    for run in runs:
        record = read_run(run)
        columns[record.name] = _column(run, record, workspace, ledger)
    titles = next(iter(columns.values()))
    cells = {name: list(column.values()) for name, column in columns.items()}
    return pd.DataFrame({"": list(titles), **cells})


def _column(
    run: Path, record: RunRecord, workspace: Workspace, ledger: list[LedgerEntry]
) -> dict[str, str]:
    """Returns the cells of one run, by the title of their row."""
    metrics = record.metrics
    return {
        "Model": record.model,
        "Parameters": f"{record.parameters['all']:,}",
        "Model size (MB)": f"{record.megabytes:.2f}",
        **{
            title: f"{metrics[name]:.4f}" if metrics.get(name) is not None else ""
            for title, name in METRIC_ROWS.items()
        },
        "Training time (s)": f"{sum(record.seconds):.0f}",
        **_test_cells(run, record, workspace),
        "Leaderboard score and rank": _leaderboard(record, ledger),
    }


def _test_cells(run: Path, record: RunRecord, workspace: Workspace) -> dict[str, str]:
    """Returns the cells of the rehearsal test set; empty where there is none for this run."""
    titles = ("Test loss", "Test accuracy", "Test errors")
    if not ((run / "test.npz").is_file() and workspace.solution.is_file()):
        return dict.fromkeys(titles, "")
    solution = read_table(workspace.solution)
    test = Predictions.load(run / "test.npz")
    if set(test.ids.tolist()) != set(solution["id"]):
        return dict.fromkeys(titles, "")
    truth = np.array([record.targets.index(label) for label in solution["label"]], np.intp)
    probabilities = test.of(list(solution["id"]))
    errors = int((probabilities.argmax(axis=1) != truth).sum())
    loss, accuracy = METRICS["log_loss"](truth, probabilities), 1.0 - errors / len(truth)
    return dict(zip(titles, (f"{loss:.4f}", f"{accuracy:.4f}", str(errors)), strict=True))


_EXPLANATION = (
    "Training figures are means over the folds at the last epoch, on balanced and augmented "
    "batches; validation figures are of each fold's held-out images without augmentation; "
    "out-of-fold figures are of all training images, each predicted with test-time augmentation by "
    "the fold that did not train on it. Test figures need a rehearsal test set and `ensemble`."
)


def write_comparison(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Writes compare.csv, compare.md and a self-contained compare.html."""
    paths = [folder / f"compare.{suffix}" for suffix in ("csv", "md", "html")]
    write_table(paths[0], table)
    write_text(paths[1], to_markdown(table))
    section = PageSection("Runs", [], table=table)
    write_text(paths[2], render_page("Comparison of runs", _EXPLANATION, [section], {}))
    return paths


def to_markdown(table: pd.DataFrame) -> str:
    """Returns the table in GitHub's Markdown."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    escaped = [[str(cell).replace("|", r"\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def _leaderboard(record: RunRecord, ledger: list[LedgerEntry]) -> str:
    """Returns score and rank of the latest submission that this run alone made."""
    name = f"{record.competition}-{record.name}.csv"
    for entry in reversed(ledger):
        if (Path(entry.file).name, entry.competition) == (name, record.competition):
            # What was sent to Kaggle keeps its out-of-fold score next to the leaderboard's.
            is_local = entry.status in ("", REHEARSED)
            score = entry.public_score or (entry.local_score if is_local else "")
            text = f"{float(score):.4f}" if score else entry.status or "pending"
            return f"{text}, rank {entry.rank}" if entry.rank else text
    return ""
