"""Files that are whole or absent, and the names made of their contents."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import MissingError
from kagglecxr.core.files import (
    DiskSpaceError,
    atomic_write,
    digest,
    ensure_disk_space,
    file_digest,
    read_json,
    read_table,
    write_json,
    write_table,
    write_text,
)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=6)
JSON = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
WRITERS: dict[str, Callable[[Path], None]] = {
    "text": lambda path: write_text(path, "new"),
    "json": lambda path: write_json(path, {"is": "new"}),
    "table": lambda path: write_table(path, pd.DataFrame({"is": ["new"]})),
}


def test_a_file_appears_only_when_the_block_is_done(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "model.keras"
    with atomic_write(path) as temporary:
        temporary.write_text("weights")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.suffix == ".keras"
    assert path.read_text() == "weights"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failing_writer_leaves_the_old_file_and_no_litter(
    error: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")

    def fail() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_first_writer_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_write(tmp_path / "new.csv") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_writes_nothing_does_not_remove_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")

    def write_nothing() -> None:
        with atomic_write(path):
            pass

    with pytest.raises(FileNotFoundError):
        write_nothing()
    assert path.read_text() == "old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_leaves_the_old_file_and_no_litter(writer: str, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_text("old")
    with atomic_write(path) as temporary:
        name = temporary.name
        temporary.write_text("old")
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        WRITERS[writer](path)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    path.write_text("old")
    code = (
        "import os, signal, sys, pathlib\n"
        "from kagglecxr.core.files import atomic_write\n"
        "with atomic_write(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    finished = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert finished.returncode == -9
    assert path.read_text() == "old"


@pytest.mark.parametrize("writer", WRITERS)
def test_every_writer_makes_the_folders_it_needs_and_replaces_the_old(
    writer: str, tmp_path: Path
) -> None:
    path = tmp_path / "a" / "b" / "file"
    path.parent.mkdir(parents=True)
    path.write_text("o" * 1000)
    WRITERS[writer](path)
    assert "new" in path.read_text()
    assert "o" * 10 not in path.read_text()


def test_text_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    write_text(tmp_path / "t", "Größe ≥ 3")
    assert (tmp_path / "t").read_bytes() == "Größe ≥ 3".encode()


@settings(deadline=None, max_examples=50)
@given(values=st.dictionaries(TEXT, JSON | st.lists(JSON, max_size=3), max_size=4))
def test_a_json_object_is_read_as_it_was_written(
    values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "values.json"
    write_json(path, values)
    assert read_json(path) == values


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_json(path, {"model": object()})
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@settings(deadline=None, max_examples=50)
@given(rows=st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=5))
def test_a_table_of_text_is_read_as_it_was_written(
    rows: list[tuple[str, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "table.csv"
    write_table(path, pd.DataFrame(rows, columns=["id", "label", "note"]))
    table = read_table(path)
    assert list(table.columns) == ["id", "label", "note"]
    assert [tuple(row) for row in table.to_numpy().tolist()] == rows


def test_cells_that_look_like_numbers_or_nothing_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("id,label\n007,NA\n1.50,\nTrue,null\n")
    assert read_table(path).to_numpy().tolist() == [["007", "NA"], ["1.50", ""], ["True", "null"]]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("id,label\na,b\n", encoding="utf-8-sig")
    assert list(read_table(path).columns) == ["id", "label"]


def test_a_table_is_written_without_its_index(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", pd.DataFrame({"id": ["a"], "fold": [1]}, index=[9]))
    assert (tmp_path / "t.csv").read_text() == "id,fold\na,1\n"


def test_a_digest_is_the_same_on_every_machine() -> None:
    assert digest("gray | resize", 48, ["a", "b"]) == "6dcce032419b"


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_parts_that_differ_have_digests_that_differ() -> None:
    parts: list[tuple[object, ...]] = [
        (),
        ("",),
        ("a",),
        ("a", "b"),
        ("ab",),
        (["a", "b"],),
        ("b", "a"),
        (1,),
        ("1",),
        (1.5,),
        (None,),
        (True,),
        ({"a": 1},),
    ]
    names = {digest(*part) for part in parts}
    assert len(names) == len(parts)
    assert all(len(name) == 12 and int(name, 16) >= 0 for name in names)


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_a_files_digest_is_its_sha_256(size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    (tmp_path / "f").write_bytes(content)
    assert file_digest(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def test_the_room_of_a_folder_that_is_not_there_yet_is_its_disk_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: usage._replace(free=5000 * (path == tmp_path))
    )
    ensure_disk_space(tmp_path / "a" / "b", 5000, "the data")
    with pytest.raises(
        DiskSpaceError, match=r"the data, which needs 5,001 bytes where 5,000 are free: .*--work"
    ):
        ensure_disk_space(tmp_path / "a" / "b", 5001, "the data")


def test_more_than_the_whole_disk_is_refused(tmp_path: Path) -> None:
    ensure_disk_space(tmp_path, 1000, "a little")
    with pytest.raises(DiskSpaceError):
        ensure_disk_space(tmp_path, 2 * shutil.disk_usage(tmp_path).total, "too much")
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"not there.*folds\.csv\. Run the step"):
        read_table(tmp_path / "folds.csv")
