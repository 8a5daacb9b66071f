"""Writes zip archives whose bytes depend on their content alone, and keeps unchanged files."""

import contextlib
import filecmp
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)


@contextlib.contextmanager
def reproducible_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Opens an archive for writing; add its members with `zip_member`.

    Members are not compressed: compressed bytes differ from one zlib version to the next.
    """
    with write_if_changed(path) as target, zipfile.ZipFile(target, "w") as archive:
        yield archive


def zip_member(name: str) -> zipfile.ZipInfo:
    """An archive member with the same time, system and permissions on every machine."""
    member = zipfile.ZipInfo(name, _EPOCH)
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
