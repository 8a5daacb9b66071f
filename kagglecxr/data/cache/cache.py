"""The cache of decoded images on disk: its key, its memory maps, and how it is opened."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import digest, read_json, write_json
from kagglecxr.data.images.phash import THUMBNAIL
from kagglecxr.data.images.pipeline import Pipeline

FORMAT = 2
"""Raised when what a cache folder holds changes its meaning: older ones are then left alone."""


@dataclass(frozen=True)
class Cache:
    """Decoded images and what was measured of their files.

    Attributes:
        folder: the cache's folder.
        images: (N, size, size) or (N, size, size, 3) uint8, a read-only memory map.
        measures: structured (N,) array of width, height, phash and thumbnail.
    """

    folder: Path
    images: npt.NDArray[np.uint8]
    measures: npt.NDArray[np.void]

    @property
    def key(self) -> str:
        """The cache's name, a digest of data, pipeline and size."""
        return self.folder.name


def cache_key(paths: list[str], contents: list[int], pipeline: Pipeline) -> str:
    """The name of the cache of these files, masks included, through this pipeline."""
    return digest(FORMAT, paths, contents, pipeline.text)


def open_cache(folder: Path) -> Cache:
    """Opens a whole cache.

    Raises:
        DataError: it is not there, or was written by another version of the kit.
    """
    try:
        form = read_json(folder / "cache.json")["format"]
        images = np.load(folder / "images.npy", mmap_mode="r")
        measures = np.load(folder / "measures.npy", mmap_mode="r")
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(
            f"A cache of decoded images is missing or damaged. Received: {folder}. "
            "Remove that folder if it is there, and run prepare again."
        ) from error
    if form != FORMAT:
        raise DataError(
            f"A cache was written by another version. Received: {folder} in form {form}, not "
            f"{FORMAT}. Remove that folder, and run prepare again."
        )
    return Cache(folder, images, measures)


MEASURES = np.dtype(
    [
        ("done", np.bool_),
        ("width", np.int32),
        ("height", np.int32),
        ("phash", np.uint64),
        ("thumbnail", np.uint8, (THUMBNAIL, THUMBNAIL)),
    ]
)
"""What is measured of each file, and whether its image is decoded."""

Map = np.memmap[Any, np.dtype[Any]]


def open_maps(folder: Path, shape: tuple[int, ...]) -> tuple[Map, Map]:
    """The maps of an interrupted decode, or new ones of zeros if either is gone or torn.

    The measures say which images are done, so neither is worth anything without the other.

    Args:
        folder: where they lie, or will.
        shape: of the images, (N, H, W) or (N, H, W, 3).

    Returns:
        Images of uint8, and (N,) `MEASURES`.

    Raises:
        OSError: the disk is full.
    """
    images, measures = folder / "images.npy", folder / "measures.npy"
    old = _old_map(images, np.dtype(np.uint8), shape), _old_map(measures, MEASURES, shape[:1])
    if old[0] is not None and old[1] is not None:
        return old[0], old[1]
    measures.unlink(missing_ok=True)
    return _new_map(images, np.dtype(np.uint8), shape), _new_map(measures, MEASURES, shape[:1])


def finish_cache(
    partial: Path, folder: Path, maps: tuple[Map, Map], described: dict[str, Any]
) -> None:
    """Turns the folder of filled maps into a cache: its cache.json comes last, then its name."""
    for filled in maps:
        filled.flush()
    write_json(partial / "cache.json", described)
    if folder.exists():
        # It lacks its cache.json, so it never was a whole cache.
        shutil.rmtree(folder)
    partial.rename(folder)


def _old_map(path: Path, kind: np.dtype[Any], shape: tuple[int, ...]) -> Map | None:
    try:
        old = np.lib.format.open_memmap(path, "r+")
    except (ValueError, OSError, EOFError):
        return None
    return old if old.shape == shape and old.dtype == kind else None


def _new_map(path: Path, kind: np.dtype[Any], shape: tuple[int, ...]) -> Map:
    """A memory map whose room is already taken.

    On a full disk the first write into a map that finds no room kills the process; taking the
    room beforehand turns that into an error that can be told.
    """
    beside = path.with_suffix(".writing")
    created = np.lib.format.open_memmap(beside, "w+", dtype=kind, shape=shape)
    del created
    if hasattr(os, "posix_fallocate"):
        with beside.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, beside.stat().st_size)
    beside.replace(path)
    return np.lib.format.open_memmap(path, "r+")
