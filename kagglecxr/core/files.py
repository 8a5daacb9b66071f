"""Atomic and reproducible writing of files, and their reading; digests; disk space."""

import contextlib
import filecmp
import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kagglecxr.core.errors import CxrError, DataError, MissingError


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder, renamed to `path` if the block succeeds.

    It has the suffix of `path`, since some writers choose the format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(parent: Path | None) -> Iterator[Path]:
    """Yields a new folder in `parent`, or where the system has its own, and removes it."""
    if parent:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kagglecxr-", dir=parent) as folder:
        yield Path(folder)


def write_text(path: Path, text: str) -> None:
    """Writes text atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a mapping as indented JSON atomically."""
    write_text(path, json.dumps(values, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        ValueError: the file is not JSON, or holds no object.
    """
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        # Of the same type as an error of `json`, so that callers catch one.
        raise ValueError(f"not a JSON object: {path}")  # noqa: TRY004
    return values


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes a table as CSV without its index atomically."""
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False)


def read_table(path: Path) -> pd.DataFrame:
    """Reads a CSV with all cells as text; empty cells are empty strings.

    Raises:
        MissingError: it is not there.
    """
    if not path.is_file():
        raise MissingError(
            f"A table is not there. Looked for: {path}. Run the step that writes it again."
        )
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


@contextlib.contextmanager
def open_arrays(path: Path, problem: str) -> Iterator[Mapping[str, Any]]:
    """Opens an .npz file; its arrays are read as they are asked for.

    Raises:
        DataError: the file, or an array that the block asks for, is damaged or missing; `problem`
            is its message.
    """
    try:
        # NumPy does not close a damaged file that it has opened itself.
        with path.open("rb") as stream, np.load(stream) as arrays:
            yield arrays
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(problem) from error


def digest(*parts: object) -> str:
    """Returns 12 hexadecimal digits that identify the parts, the same on every machine."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def file_digest(path: Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class DiskSpaceError(CxrError, OSError):
    """The disk has less free space than a file needs."""


def ensure_disk_space(folder: Path, needed: int, what: str) -> None:
    """Checks that a disk has room for files before they are written.

    HDF5 does not survive a full disk, and a large download should not fail near its end. The folder
    need not exist yet; `needed` is in bytes, `what` is named in the error.

    Raises:
        DiskSpaceError: there is not enough space.
    """
    existing = next(
        path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir()
    )
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise DiskSpaceError(
            f"There is not enough disk space. Received: {what}, which needs {needed:,} bytes where "
            f"{free:,} are free: {existing}. Free some there, or choose a folder on another disk "
            "with --work."
        )


@contextlib.contextmanager
def reproducible_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Opens an archive for writing; add its members with `zip_member`.

    Members are not compressed: compressed bytes differ from one zlib version to the next.
    """
    with write_if_changed(path) as target, zipfile.ZipFile(target, "w") as archive:
        yield archive


def zip_member(name: str) -> zipfile.ZipInfo:
    """An archive member with the same time, system and permissions on every machine."""
    member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    member.create_system, member.external_attr = 3, 0o100644 << 16
    return member


@contextlib.contextmanager
def write_if_changed(path: Path) -> Iterator[Path]:
    """A path to write to that replaces `path` only if the bytes differ.

    An unchanged file keeps its time, by which the Kaggle client recognizes an upload that it may
    resume. The temporary file lies outside the folder, since all files of the folder are sent.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".packing-", dir=path.parent.parent) as folder:
        written = Path(folder, path.name)
        yield written
        if not (path.is_file() and filecmp.cmp(written, path, shallow=False)):
            written.replace(path)
