"""Tables as spreadsheets, pandas and downloads leave them."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.data.files.tables import read_any_table

ROWS = [{"id": "a.png", "label": "épanchement"}, {"id": "b.png", "label": "poumon sain"}]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_separator_encoding_and_line_end_is_read(
    tmp_path: Path, separator: str, encoding: str, end: str
) -> None:
    lines = [separator.join(["id", "label"]), *[separator.join(row.values()) for row in ROWS]]
    (tmp_path / "t.csv").write_bytes((end.join(lines) + end).encode(encoding))
    assert read_any_table(tmp_path / "t.csv").to_dict("records") == ROWS


def test_blanks_blank_lines_quotes_and_an_index_column_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        ',id , label\n0,"a.png", épanchement \n\n1,b.png,"poumon sain"\n'
    )
    assert read_any_table(tmp_path / "t.csv").to_dict("records") == ROWS


def test_words_and_numbers_stay_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,label\n007,None\n1e3,"a, b"\n,NaN\n')
    assert read_any_table(tmp_path / "t.csv").to_numpy().tolist() == [
        ["007", "None"],
        ["1e3", "a, b"],
        ["", "NaN"],
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        (",,\n", "is empty"),
        ("id,label\na," + 140_000 * "x", "cannot be read"),
        ("<!DOCTYPE html>\n<html></html>\n", "is a web page"),
        ("id,label\na,x\nb,y, z\n", r"line 3 with 3 in place of 2: 'b,y,z'"),
        ("id,label\na\n", "line 2 with 1 in place of 2"),
    ],
)
def test_a_damaged_table_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=problem):
        read_any_table(tmp_path / "t.csv")


def test_a_header_alone_is_a_table_without_lines(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,label\n")
    table = read_any_table(tmp_path / "t.csv")
    assert (list(table.columns), len(table)) == (["id", "label"], 0)
