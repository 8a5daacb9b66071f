"""The table that compares runs, in the rows of the practicals."""

import csv
import os
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.workspace import Workspace
from kagglecxr.leaderboard.ledger import LedgerEntry, write_ledger
from kagglecxr.reports.comparison import compare_runs, to_markdown, write_comparison
from tests.reports.conftest import RECORD, TEST, MakeRun, save

ENTRY = LedgerEntry(
    "t1", "demo", "submissions/demo-cnn_small-0123.csv", "aa", local_score="0.750000"
)
WRITTEN = {
    "Model": "cnn_small",
    "Parameters": "1,234,567",
    "Model size (MB)": "4.94",
    "Training loss": "0.5123",
    "Training accuracy": "0.8123",
    "Validation loss": "0.6100",
    "Validation accuracy": "0.7500",
    "Out-of-fold accuracy": "0.6667",
    "Out-of-fold balanced accuracy": "0.7222",
    "Training time (s)": "31",
}


class Cells(HTMLParser):
    """The cells of a page's table, as a browser would show them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.is_open = False
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.is_open = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.is_open = False

    def handle_data(self, data: str) -> None:
        if self.is_open:
            self.rows[-1][-1] += data


def read_page(path: Path) -> Cells:
    cells = Cells()
    cells.feed(path.read_text(encoding="utf-8"))
    return cells


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "submissions" / "ledger.csv"


def column(workspace: Workspace, ledger: Path, name: str = RECORD.name) -> dict[str, str]:
    table = compare_runs(workspace, ledger)
    return dict(zip(table[""], table[name], strict=True))


def test_the_rows_of_a_run_by_hand(make_run: MakeRun, workspace: Workspace, ledger: Path) -> None:
    run = make_run()
    save(run / "test.npz", TEST, is_labelled=False)
    write_ledger(ledger, [replace(ENTRY, rank="2")])
    chosen = np.array([0.50, 0.40, 0.80, 1.00], np.float32).astype(np.float64)
    assert column(workspace, ledger) == WRITTEN | {
        "Test loss": f"{-np.log(chosen).mean():.4f}",
        "Test accuracy": "0.7500",
        "Test errors": "1",
        "Leaderboard score and rank": "0.7500, rank 2",
    }


def test_what_is_not_known_is_empty(make_run: MakeRun, workspace: Workspace, ledger: Path) -> None:
    make_run()
    assert column(workspace, ledger) == WRITTEN | {
        "Test loss": "",
        "Test accuracy": "",
        "Test errors": "",
        "Leaderboard score and rank": "",
    }


def test_a_metric_that_a_run_did_not_record_is_empty(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run(metrics={"loss": 0.5, "accuracy": 0.8, "oof_accuracy": 0.7})
    cells = column(workspace, ledger)
    assert cells["Training loss"] == "0.5000"
    assert cells["Validation loss"] == ""


def test_runs_are_columns_the_oldest_first(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    for name, age in (("young", 300), ("old", 100), ("middle", 200)):
        run = make_run(name=name, model=f"model of {name}")
        os.utime(run / "run.json", (age, age))
    (workspace.runs / "unfinished").mkdir()
    table = compare_runs(workspace, ledger)
    assert list(table.columns) == ["", "old", "middle", "young"]
    assert table.iloc[0].tolist() == ["Model", "model of old", "model of middle", "model of young"]


def test_without_a_finished_run_the_verb_to_run_is_named(
    workspace: Workspace, ledger: Path
) -> None:
    (workspace.runs / "half").mkdir(parents=True)
    with pytest.raises(MissingError, match=r"kagglecxr\.train demo"):
        compare_runs(workspace, ledger)


def test_a_damaged_record_is_named(make_run: MakeRun, workspace: Workspace, ledger: Path) -> None:
    run = make_run()
    (run / "run.json").write_text("{")
    with pytest.raises(DataError, match=RECORD.name):
        compare_runs(workspace, ledger)


def test_damaged_predictions_are_named(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    run = make_run()
    (run / "test.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"test\.npz"):
        compare_runs(workspace, ledger)


def test_predictions_of_another_test_part_are_not_scored(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    run = make_run()
    save(run / "test.npz", {name: TEST[name] for name in ("t0", "t1")}, is_labelled=False)
    assert column(workspace, ledger)["Test accuracy"] == ""


def test_without_a_solution_nothing_is_said_of_the_test(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    run = make_run()
    save(run / "test.npz", TEST, is_labelled=False)
    workspace.solution.unlink()
    assert column(workspace, ledger)["Test errors"] == ""


def test_the_order_of_the_predicted_images_does_not_matter(
    make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    run = make_run()
    save(run / "test.npz", dict(reversed(TEST.items())), is_labelled=False)
    assert column(workspace, ledger)["Test accuracy"] == "0.7500"


@pytest.mark.parametrize(
    ("entries", "cell"),
    [
        ([ENTRY], "0.7500"),
        ([replace(ENTRY, rank="3")], "0.7500, rank 3"),
        ([replace(ENTRY, public_score="0.9", rank="1")], "0.9000, rank 1"),
        ([ENTRY, replace(ENTRY, time="t2", local_score="0.500000")], "0.5000"),
        ([replace(ENTRY, competition="umons")], ""),
        ([replace(ENTRY, file="submissions/demo-mean-0123.csv")], ""),
        ([replace(ENTRY, file="/elsewhere/demo-cnn_small-0123.csv")], "0.7500"),
        ([replace(ENTRY, local_score="")], "pending"),
        ([], ""),
    ],
)
def test_the_leaderboards_cell_is_the_latest_line_of_the_runs_own_submission(
    entries: list[LedgerEntry], cell: str, make_run: MakeRun, workspace: Workspace, ledger: Path
) -> None:
    make_run()
    write_ledger(ledger, entries)
    assert column(workspace, ledger)["Leaderboard score and rank"] == cell


def test_the_three_files_hold_the_same_cells(
    make_run: MakeRun, workspace: Workspace, ledger: Path, tmp_path: Path
) -> None:
    make_run()
    save(make_run(name="vgg16-9", model="vgg16") / "test.npz", TEST, is_labelled=False)
    write_ledger(ledger, [replace(ENTRY, rank="2")])
    table = compare_runs(workspace, ledger)
    expected = [list(table.columns), *table.to_numpy().tolist()]
    paths = write_comparison(table, tmp_path)
    assert paths == [tmp_path / f"compare.{suffix}" for suffix in ("csv", "md", "html")]
    with paths[0].open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == expected
    lines = paths[1].read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert [cells[0], *cells[2:]] == expected
    assert cells[1] == ["---"] * 3
    assert read_page(paths[2]).rows == expected


def test_writing_again_gives_the_same_bytes(
    make_run: MakeRun, workspace: Workspace, ledger: Path, tmp_path: Path
) -> None:
    make_run()
    first = [p.read_bytes() for p in write_comparison(compare_runs(workspace, ledger), tmp_path)]
    again = [p.read_bytes() for p in write_comparison(compare_runs(workspace, ledger), tmp_path)]
    assert again == first


STRANGE = "<script>alert('x')</script> & \"b\"|c"


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    table = pd.DataFrame({"": ["Model", STRANGE], STRANGE: [STRANGE, "1"]})
    path = write_comparison(table, tmp_path)[2]
    page = read_page(path)
    assert page.rows == [["", STRANGE], ["Model", STRANGE], [STRANGE, "1"]]
    assert "script" not in page.seen
    assert "<script" not in path.read_text()


def test_names_cannot_break_the_markdown_table() -> None:
    lines = to_markdown(pd.DataFrame({"": ["Model"], "a|b": ["c|d"]})).splitlines()
    assert lines == ["|  | a\\|b |", "| --- | --- |", "| Model | c\\|d |"]


def test_the_page_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    path = write_comparison(pd.DataFrame({"": ["Model"], "a": ["b"]}), tmp_path)[2]
    text = path.read_text()
    assert "http" not in text
    assert not {"link", "script", "img", "iframe"} & read_page(path).seen
    assert "{" in text
    assert "{{" not in text
