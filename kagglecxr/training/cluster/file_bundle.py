"""Copies files between the machines of a cluster, through Ray's object store."""

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
from kagglecxr.data.masked import MaskedData
from kagglecxr.data.masked_files import write_masked
from kagglecxr.data.prepared import PreparedData

CLUSTER_FOLDER = "KAGGLECXR_CLUSTER_FOLDER"
"""The environment variable that names the folder where a machine unpacks bundles."""
CHUNK_BYTES = 64 * 2**20
MASKED = "masked"

Chunk = npt.NDArray[np.uint8]
GetChunk = Callable[[Any], Chunk]
"""Takes a reference to a chunk and fetches it from the object store."""


@dataclass(frozen=True)
class FileBundle:
    """Files in the object store.

    Attributes:
        digest: A digest of names and contents; the name of the folder they are unpacked into.
        files: The references to the chunks of each file, in order, by its relative name.
    """

    digest: str
    files: dict[str, list[Any]]


def pack(files: Mapping[str, Path], put: Callable[[Chunk], Any]) -> FileBundle:
    """Stores files by their relative names, in chunks, so that none has to fit into memory."""
    digest = hashlib.sha256()
    references: dict[str, list[Any]] = {}
    for name, path in sorted(files.items()):
        digest.update(f"{name}\0{path.stat().st_size}\0".encode())
        references[name] = []
        for chunk in _chunks(path):
            digest.update(chunk.data)
            references[name].append(put(chunk))
    return FileBundle(digest.hexdigest()[:16], references)


def unpack(bundle: FileBundle, root: Path, get: GetChunk) -> Path:
    """Writes a bundle to its folder below a root, unless an earlier task did, and returns it."""
    folder = root / bundle.digest
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f"{bundle.digest}.lock"):
        # The folder alone proves nothing: what cleans /tmp removes old files one by one.
        if not (folder.is_dir() and all((folder / name).is_file() for name in bundle.files)):
            partial = root / f".writing-{bundle.digest}"
            # Nobody else holds the lock, so these were left behind by a killed task.
            shutil.rmtree(partial, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            partial.mkdir()
            for name, chunks in bundle.files.items():
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                with (partial / name).open("wb") as stream:
                    for chunk in chunks:
                        stream.write(get(chunk).data)
            partial.replace(folder)
    return folder


def workspace_files(workspace: Workspace, cache_key: str = "") -> dict[str, Path]:
    """Lists the files of a prepared workspace that a training needs, by relative name.

    Included is one more cache, if named; not the features of a cache, which are computed again.
    """
    own = read_json(workspace.require(workspace.prepared, "prepare"))["cache"]
    files = [workspace.index, workspace.folds, workspace.prepared]
    for key in {own, cache_key or own}:
        files += [path for path in (workspace.cache / key).iterdir() if path.is_file()]
    return {path.relative_to(workspace.root).as_posix(): path for path in files}


def masked_files(workspace: Workspace, data: PreparedData) -> dict[str, Path]:
    """Lists the files of masked images by the names that `masked_folder` finds; none of others."""
    if not isinstance(data, MaskedData):
        return {}
    folder = write_masked(data, workspace)
    return {f"{MASKED}/{folder.name}/{path.name}": path for path in folder.iterdir()}


def masked_folder(root: Path) -> Path | None:
    """Returns the folder of masked images in an unpacked workspace, if there are any."""
    return next(iter((root / MASKED).glob("*")), None)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Reads all files of a small folder, by relative name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replaces a folder by these files, completely or not at all."""
    partial = folder.with_name(f".arriving-{os.getpid()}-{folder.name}")
    try:
        partial.mkdir(parents=True)
        for name, content in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(content)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def bundle_root() -> Path:
    """The folder where this machine unpacks bundles; defaults to one in the system's /tmp."""
    named = os.environ.get(CLUSTER_FOLDER)
    return Path(named) if named else Path(tempfile.gettempdir()) / f"kagglecxr-{os.getuid()}"


def _chunks(path: Path) -> Iterator[Chunk]:
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield np.frombuffer(chunk, np.uint8)
