"""Files on their way between machines: in pieces to a machine, whole when they come back."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from kagglecxr.core.files import read_json
from kagglecxr.core.workspace import Workspace

CLUSTER_FOLDER = "KAGGLECXR_CLUSTER_FOLDER"
"""The variable that names where a machine keeps what travels to it."""
CHUNK_BYTES = 64 * 2**20

Chunk = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FileBundle:
    """Files in the object store.

    Attributes:
        digest: of names and contents; the name of the folder they are unpacked into.
        files: what the store knows the pieces of each file by, in order, by its relative name.
    """

    digest: str
    files: dict[str, list[Any]]


def pack(files: Mapping[str, Path], put: Callable[[Chunk], Any]) -> FileBundle:
    """Hands files to the store piece by piece, so that none has to fit into memory.

    Args:
        files: by the relative name each is to have on the other machine.
        put: keeps a piece, and gives what it is known by.
    """
    whole = hashlib.sha256()
    kept: dict[str, list[Any]] = {}
    for name, path in sorted(files.items()):
        whole.update(f"{name}\0{path.stat().st_size}\0".encode())
        kept[name] = []
        for piece in _chunks(path):
            whole.update(piece.data)
            kept[name].append(put(piece))
    return FileBundle(whole.hexdigest()[:16], kept)


def unpack(parcel: FileBundle, root: Path, get: Callable[[Any], Chunk]) -> Path:
    """The folder of a parcel on this machine, written by the first task that wants it.

    Args:
        parcel: what `pack` gave.
        root: the folder of all parcels.
        get: gives a piece back.
    """
    folder = root / parcel.digest
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f"{parcel.digest}.lock"):
        # Not the folder alone: what cleans /tmp takes old files one by one.
        if not (folder.is_dir() and all((folder / name).is_file() for name in parcel.files)):
            beside = root / f".writing-{parcel.digest}"
            # Who holds the lock is alone, so these were left behind.
            shutil.rmtree(beside, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            beside.mkdir()
            for name, pieces in parcel.files.items():
                (beside / name).parent.mkdir(parents=True, exist_ok=True)
                with (beside / name).open("wb") as stream:
                    for piece in pieces:
                        stream.write(get(piece).data)
            beside.replace(folder)
    return folder


def workspace_files(workspace: Workspace, besides: str = "") -> dict[str, Path]:
    """What a training needs of a prepared workspace, by relative names.

    Features beside a cache stay: they are worked out again where they are wanted.

    Args:
        workspace: the competition's.
        besides: the key of another cache that is wanted too; none where empty.
    """
    own = read_json(workspace.require(workspace.prepared, "prepare"))["cache"]
    files = [workspace.index, workspace.folds, workspace.prepared]
    for key in {own, besides or own}:
        files += [path for path in (workspace.cache / key).iterdir() if path.is_file()]
    return {path.relative_to(workspace.root).as_posix(): path for path in files}


def read_folder(folder: Path) -> dict[str, bytes]:
    """All files of a small folder, by relative names."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes a folder that came back, whole or not at all, over what was there."""
    beside = folder.with_name(f".arriving-{os.getpid()}-{folder.name}")
    try:
        beside.mkdir(parents=True)
        for name, content in files.items():
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).write_bytes(content)
        shutil.rmtree(folder, ignore_errors=True)
        beside.replace(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def bundle_root() -> Path:
    """Where this machine keeps what travels to it: $KAGGLECXR_CLUSTER_FOLDER, or in /tmp."""
    named = os.environ.get(CLUSTER_FOLDER)
    return Path(named) if named else Path(tempfile.gettempdir()) / f"kagglecxr-{os.getuid()}"


def _chunks(path: Path) -> Iterator[Chunk]:
    with path.open("rb") as stream:
        while piece := stream.read(CHUNK_BYTES):
            yield np.frombuffer(piece, np.uint8)
