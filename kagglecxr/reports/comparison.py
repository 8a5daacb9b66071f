"""The table that compares all runs of a competition."""

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class TestResult:
    """A run's result on the rehearsal test set."""

    loss: float
    accuracy: float
    errors: int


@dataclass(frozen=True)
class Column:
    """The column of one run."""

    record: RunRecord
    test: TestResult | None
    leaderboard: str


Row = tuple[str, Callable[[Column], str]]


def _metric(name: str) -> Callable[[Column], str]:
    def cell(column: Column) -> str:
        value = column.record.metrics.get(name)
        return "" if value is None else f"{value:.4f}"

    return cell


def _of_test(show: Callable[[TestResult], str]) -> Callable[[Column], str]:
    return lambda column: "" if column.test is None else show(column.test)


ROWS: tuple[Row, ...] = (
    ("Model", lambda c: c.record.model),
    ("Parameters", lambda c: f"{c.record.parameters['all']:,}"),
    ("Model size (MB)", lambda c: f"{c.record.megabytes:.2f}"),
    ("Training loss", _metric("loss")),
    ("Training accuracy", _metric("accuracy")),
    ("Validation loss", _metric("val_loss")),
    ("Validation accuracy", _metric("val_accuracy")),
    ("Out-of-fold accuracy", _metric("oof_accuracy")),
    ("Out-of-fold balanced accuracy", _metric("oof_balanced_accuracy")),
    ("Training time (s)", lambda c: f"{sum(c.record.seconds):.0f}"),
    ("Test loss", _of_test(lambda t: f"{t.loss:.4f}")),
    ("Test accuracy", _of_test(lambda t: f"{t.accuracy:.4f}")),
    ("Test errors", _of_test(lambda t: str(t.errors))),
    ("Leaderboard score and rank", lambda c: c.leaderboard),
)


def compare_runs(workspace: Workspace, ledger_file: Path) -> pd.DataFrame:
    """Returns a table with a column per finished run and a row per figure; unknown cells are empty.

    Args:
        workspace: the workspace of the runs.
        ledger_file: the ledger's CSV, which need not exist.

    Raises:
        MissingError: there is no finished run.
    """
    runs = finished_runs(workspace.runs)
    if not runs:
        raise MissingError(
            f"There are no finished runs to compare. Looked in: {workspace.runs}. "
            f"Run: python -m kagglecxr.train {workspace.competition}"
        )
    ledger = read_ledger(ledger_file)
    table = pd.DataFrame({"": [title for title, _ in ROWS]})
    for run in runs:
        record = read_run(run)
        column = Column(record, _test_result(run, record, workspace), _leaderboard(record, ledger))
        table[record.name] = [cell(column) for _, cell in ROWS]
    return table


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


def _test_result(run: Path, record: RunRecord, workspace: Workspace) -> TestResult | None:
    if not ((run / "test.npz").is_file() and workspace.solution.is_file()):
        return None
    solution = read_table(workspace.solution)
    test = Predictions.load(run / "test.npz")
    if set(test.ids.tolist()) != set(solution["id"]):
        return None
    truth = np.array([record.targets.index(label) for label in solution["label"]], np.intp)
    probabilities = test.of(list(solution["id"]))
    errors = int((probabilities.argmax(axis=1) != truth).sum())
    loss = METRICS["log_loss"](truth, probabilities)
    return TestResult(loss, 1.0 - errors / len(truth), errors)


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
