"""The table that compares all runs of a competition, in the rows the practicals asked for."""

import html
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
from kagglecxr.leaderboard.rehearsal import REHEARSED


@dataclass(frozen=True)
class TestResult:
    """What the rehearsal test part says of a run."""

    loss: float
    accuracy: float
    errors: int


@dataclass(frozen=True)
class Column:
    """One run's column of the table."""

    record: RunRecord
    test: TestResult | None
    leaderboard: str


Row = tuple[str, Callable[[Column], str]]


def _metric(name: str) -> Callable[[Column], str]:
    def tell(column: Column) -> str:
        value = column.record.metrics.get(name)
        return "" if value is None else f"{value:.4f}"

    return tell


def _of_test(tell: Callable[[TestResult], str]) -> Callable[[Column], str]:
    return lambda column: "" if column.test is None else tell(column.test)


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
    """One column a finished run, one row a figure; what is not known is empty.

    Args:
        workspace: whose runs.
        ledger_file: the ledger's CSV, which need not be there.

    Raises:
        MissingError: there is no finished run.
    """
    runs = finished_runs(workspace.runs)
    if not runs:
        raise MissingError(
            f"There are no finished runs to compare. Looked in: {workspace.runs}. "
            f"Run: python -m kagglecxr.train {workspace.competition}"
        )
    ledger = read_table(ledger_file) if ledger_file.is_file() else pd.DataFrame()
    table = pd.DataFrame({"": [title for title, _ in ROWS]})
    for run in runs:
        record = read_run(run)
        column = Column(record, _test_result(run, record, workspace), _leaderboard(record, ledger))
        table[record.name] = [tell(column) for _, tell in ROWS]
    return table


def write_comparison(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Writes compare.csv, compare.md and a self-contained compare.html."""
    paths = [folder / f"compare.{suffix}" for suffix in ("csv", "md", "html")]
    write_table(paths[0], table)
    write_text(paths[1], to_markdown(table))
    write_text(paths[2], _to_html(table))
    return paths


def to_markdown(table: pd.DataFrame) -> str:
    """The table as GitHub reads it."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    escaped = [[str(cell).replace("|", r"\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def _to_html(table: pd.DataFrame) -> str:
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in table.columns)
    body = "".join(
        f"<tr><th>{html.escape(str(row[0]))}</th>"
        + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row[1:])
        + "</tr>\n"
        for row in table.to_numpy().tolist()
    )
    return _PAGE.format(head=head, body=body)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Comparison of runs</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .35rem .9rem; border-bottom: 1px solid #ddd; text-align: right; }}
th:first-child {{ text-align: left; }}
thead th {{ border-bottom: 2px solid #444; }}
tbody tr:hover {{ background: #f4f8fa; }}
</style></head><body>
<h1>Comparison of runs</h1>
<table><thead><tr>{head}</tr></thead>
<tbody>
{body}</tbody></table>
<p>Training figures are means over the folds at the last epoch, on balanced and augmented batches;
validation figures are of each fold's held-out images as they are; out-of-fold figures are of all
training images, each predicted, from all of the recipe's views, by the fold that never saw it.
Test figures need a rehearsal test part and <code>ensemble</code>.</p>
</body></html>
"""


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


def _leaderboard(record: RunRecord, ledger: pd.DataFrame) -> str:
    """The latest line of the ledger for the submission this run alone made."""
    name = f"{record.competition}-{record.name}.csv"
    for line in ledger.iloc[::-1].to_dict("records"):
        if Path(line["file"]).name == name and line["competition"] == record.competition:
            # What was sent to Kaggle keeps its out-of-fold score beside the leaderboard's.
            is_local = line["status"] in ("", REHEARSED)
            told = line["public_score"] or (line["local_score"] if is_local else "")
            score = f"{float(told):.4f}" if told else line["status"] or "pending"
            return f"{score}, rank {line['rank']}" if line["rank"] else score
    return ""
