"""Files that are whole or absent: written beside their place, then renamed into it."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A path to write to, beside `path`, that becomes `path` only when the block succeeds.

    The temporary name ends as the file's does, since some writers choose a format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def assert_room(folder: Path, size: int) -> None:
    """Takes and gives back room for a file of `size` bytes, so that a full disk is told in time.

    For writers that a full disk would crash: HDF5 does not survive it.

    Raises:
        OSError: with `errno.ENOSPC`, there is no room.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as room:
        os.posix_fallocate(room.fileno(), 0, size)


def write_text(path: Path, text: str) -> None:
    """Writes text, whole or not at all."""
    with atomic_write(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a mapping as readable JSON, whole or not at all."""
    write_text(path, json.dumps(values, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        ValueError: it is not one, whatever else it is.
    """
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        # As `json` says of a file that is no JSON at all, so that callers catch one error.
        raise ValueError(f"not a JSON object: {path}")  # noqa: TRY004
    return values


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes a table as CSV without its index, whole or not at all."""
    with atomic_write(path) as beside:
        table.to_csv(beside, index=False)


def read_table(path: Path) -> pd.DataFrame:
    """Reads a CSV with every cell as text; an empty cell is an empty string."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def digest(*parts: object) -> str:
    """Twelve hexadecimal digits that name these parts, the same on every machine."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
