"""The memory maps of a cache that is being made: continued after an interruption, or made new."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kagglecxr.data.images.image import THUMBNAIL

MEASURES = np.dtype(
    [
        ("done", np.bool_),
        ("width", np.int32),
        ("height", np.int32),
        ("phash", np.uint64),
        ("thumbnail", np.uint8, (THUMBNAIL, THUMBNAIL)),
    ]
)
"""What is measured of each image file, and whether it is decoded."""
ENTRIES = np.dtype([("shard", np.uint32), ("offset", np.uint64), ("length", np.uint32)])
"""Where the bytes of a compressed image are."""

IMAGES_FILE, MEASURES_FILE, ENTRIES_FILE = "images.npy", "measures.npy", "entries.npy"

Map = np.memmap[Any, np.dtype[Any]]
_Form = tuple[np.dtype[Any], tuple[int, ...]]


def open_maps(folder: Path, shape: tuple[int, ...]) -> tuple[Map, Map]:
    """Opens the maps of an interrupted decode, or makes new ones filled with zeros.

    The measures say which images are decoded, so both maps are made anew if either is missing or
    damaged.

    Returns:
        Images (N, H, W) or (N, H, W, 3) of uint8, and (N,) `MEASURES`.
    """
    images, measures = _open_together(
        folder, {IMAGES_FILE: (np.dtype(np.uint8), shape), MEASURES_FILE: (MEASURES, shape[:1])}
    )
    return images, measures


def open_entries(folder: Path, images: int) -> tuple[Map, Map]:
    """Opens the maps of an interrupted compressed decode, or makes new ones filled with zeros.

    Returns:
        (images,) `ENTRIES` and (images,) `MEASURES`.
    """
    entries, measures = _open_together(
        folder, {ENTRIES_FILE: (ENTRIES, (images,)), MEASURES_FILE: (MEASURES, (images,))}
    )
    return entries, measures


def _open_together(folder: Path, files: Mapping[str, _Form]) -> list[Map]:
    """Opens maps; all are made anew if one is missing or damaged."""
    old = [_old_map(folder / name, *form) for name, form in files.items()]
    whole = [each for each in old if each is not None]
    if len(whole) == len(files):
        return whole
    for name in files:
        (folder / name).unlink(missing_ok=True)
    return [_new_map(folder / name, *form) for name, form in files.items()]


def _old_map(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Map | None:
    try:
        old = np.lib.format.open_memmap(path, "r+")
    except (ValueError, OSError, EOFError):
        return None
    return old if old.shape == shape and old.dtype == dtype else None


def _new_map(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Map:
    """Makes a map and allocates its disk space, without which the first write kills the process."""
    unfinished = path.with_suffix(".writing")
    created = np.lib.format.open_memmap(unfinished, "w+", dtype=dtype, shape=shape)
    del created
    if hasattr(os, "posix_fallocate"):
        with unfinished.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, unfinished.stat().st_size)
    unfinished.replace(path)
    return np.lib.format.open_memmap(path, "r+")
