"""The ledger: one line a submission, never lost."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.leaderboard.ledger import COLUMNS, LedgerEntry, read_ledger, write_ledger

FIRST = LedgerEntry(
    "2026-03-01T10:00:00+00:00", "demo", "submissions/demo-a.csv", "aa", ref="part1"
)
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8)
ENTRIES = st.lists(st.builds(LedgerEntry, *[CELLS] * len(COLUMNS)), max_size=4)


def test_the_columns_are_those_of_the_contract() -> None:
    assert COLUMNS == [
        "time",
        "competition",
        "file",
        "sha256",
        "message",
        "ref",
        "status",
        "public_score",
        "private_score",
        "rank",
        "local_score",
    ]


def test_where_there_is_no_ledger_there_are_no_entries(tmp_path: Path) -> None:
    assert read_ledger(tmp_path / "ledger.csv") == []


def test_a_new_ledger_makes_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "submissions" / "ledger.csv"
    write_ledger(path, [FIRST])
    assert path.read_text().splitlines() == [
        ",".join(COLUMNS),
        "2026-03-01T10:00:00+00:00,demo,submissions/demo-a.csv,aa,,part1,,,,,",
    ]


@settings(deadline=None, max_examples=50)
@given(entries=ENTRIES)
def test_entries_are_read_as_they_were_written_and_in_their_order(
    entries: list[LedgerEntry], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "ledger.csv"
    write_ledger(path, entries)
    assert read_ledger(path) == entries


def test_an_empty_ledger_keeps_its_header(tmp_path: Path) -> None:
    write_ledger(tmp_path / "ledger.csv", [])
    assert (tmp_path / "ledger.csv").read_text().strip() == ",".join(COLUMNS)
    assert read_ledger(tmp_path / "ledger.csv") == []


def test_a_ledger_of_fewer_columns_is_read_with_the_others_empty(tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    path.write_text("time,competition,file,sha256,local_score\nt,demo,f.csv,aa,0.5\n")
    assert read_ledger(path) == [LedgerEntry("t", "demo", "f.csv", "aa", local_score="0.5")]
