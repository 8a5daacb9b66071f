"""Tables as spreadsheets, pandas and downloads leave them."""

import gzip
import io
import zipfile
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


def zipped(*texts: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, text in enumerate(texts):
            archive.writestr(f"{number}.csv", text)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b",,\n", "is empty"),
        (b"id,label\na," + 140_000 * b"x", "cannot be read"),
        (b"<!DOCTYPE html>\n<html></html>\n", "is a web page"),
        (b"id,label\na,x\nb,y, z\n", r"line 3 with 3 in place of 2: 'b,y,z'"),
        (b"id,label\na\n", "line 2 with 1 in place of 2"),
        (zipped("a", "b"), r"archive of several files.*t\.csv with 0\.csv, 1\.csv"),
        (b"PK and no more", r"packed table is damaged.*t\.csv"),
        (b"\x1f\x8b and no more", r"packed table is damaged.*t\.csv"),
        (b'{"a": "ill"}', "is JSON"),
    ],
)
def test_a_damaged_table_is_refused_with_its_line(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=problem):
        read_any_table(tmp_path / "t.csv")


def test_a_header_alone_is_a_table_without_lines(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,label\n")
    table = read_any_table(tmp_path / "t.csv")
    assert (list(table.columns), len(table)) == (["id", "label"], 0)


@pytest.mark.parametrize(
    "content", [gzip.compress(b"id,label\na,ill\n"), zipped("id,label\na,ill\n")]
)
def test_a_table_may_be_packed_as_kaggle_sends_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "train.csv").write_bytes(content)
    assert read_any_table(tmp_path / "train.csv").to_dict("list") == {"id": ["a"], "label": ["ill"]}


def test_blanks_separate_cells_where_each_line_has_as_many(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("1 a.png ill\n2  b.png  well\n")
    table = read_any_table(tmp_path / "train.txt", header=False)
    assert table.to_dict("list") == {"1": ["1", "2"], "2": ["a.png", "b.png"], "3": ["ill", "well"]}
    (tmp_path / "train.txt").write_text("name\na film.png\n")
    assert read_any_table(tmp_path / "train.txt").to_dict("list") == {"name": ["a film.png"]}


def test_columns_of_one_name_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("id,label,label\na,ill,well\n")
    assert read_any_table(tmp_path / "train.csv").loc[0].to_dict() == {
        "id": "a", "label": "ill", "label.1": "well",
    }  # fmt: skip


def test_an_index_before_tabs_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("\tid\tlabel\n0\ta\till\n1\tb\twell\n")
    assert read_any_table(tmp_path / "train.tsv").to_dict("list") == {
        "id": ["a", "b"], "label": ["ill", "well"],
    }  # fmt: skip
