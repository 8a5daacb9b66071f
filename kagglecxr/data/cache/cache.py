"""The cache of decoded images on disk: how it is built and opened, its key and its memory maps.

A cache folder is called `<key>.partial` until it is complete, so an interrupted decode is continued
and never taken for a cache.
"""

import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import digest, ensure_disk_space, read_json, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.data.cache.image_loader import (
    BrokenImagesError,
    ImageLoader,
    decode_all,
    file_checksums,
)
from kagglecxr.data.images.image import THUMBNAIL
from kagglecxr.data.images.pipeline import Pipeline

FORMAT = 2
"""Increased when the meaning of a cache's files changes; older caches are then ignored."""

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

IMAGES = "images.npy"
LARGE = 10**9
"""Bytes from which on the size of a cache is told before it is made."""

Map = np.memmap[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Cache:
    """Decoded images (N, size, size[, 3]) uint8, a memory map, and (N,) measures of their files."""

    folder: Path
    images: npt.NDArray[np.uint8]
    measures: npt.NDArray[np.void]

    @property
    def key(self) -> str:
        """The cache's name: a digest of images, pipeline and size."""
        return self.folder.name


def cache_key(paths: list[str], checksums: list[int], pipeline: Pipeline) -> str:
    """Returns the key of the cache of these files, masks included, and this pipeline."""
    return digest(FORMAT, paths, checksums, pipeline.text)


def is_complete(folder: Path) -> bool:
    """Whether a folder is a complete cache."""
    return (folder / "cache.json").is_file()


def open_cache(folder: Path) -> Cache:
    """Opens a complete cache.

    Raises:
        DataError: it does not exist, or another version of the package wrote it.
    """
    try:
        version = read_json(folder / "cache.json")["format"]
        images = np.load(folder / IMAGES, mmap_mode="r")
        measures = np.load(folder / "measures.npy", mmap_mode="r")
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(
            f"A cache of decoded images is missing or damaged. Received: {folder}. "
            "Remove that folder if it exists, and run prepare again."
        ) from error
    if version != FORMAT:
        raise DataError(
            f"A cache was written by another version. Received: {folder} in format {version}, not "
            f"{FORMAT}. Remove that folder, and run prepare again."
        )
    return Cache(folder, images, measures)


def open_maps(folder: Path, shape: tuple[int, ...]) -> tuple[Map, Map]:
    """Opens the maps of an interrupted decode, or makes new ones filled with zeros.

    The measures say which images are decoded, so both maps are made anew if either is missing or
    damaged.

    Returns:
        Images (N, H, W) or (N, H, W, 3) of uint8, and (N,) `MEASURES`.
    """
    images, measures = folder / IMAGES, folder / "measures.npy"
    old = _old_map(images, np.dtype(np.uint8), shape), _old_map(measures, MEASURES, shape[:1])
    if old[0] is not None and old[1] is not None:
        return old[0], old[1]
    measures.unlink(missing_ok=True)
    return _new_map(images, np.dtype(np.uint8), shape), _new_map(measures, MEASURES, shape[:1])


def complete_cache(
    partial: Path, folder: Path, maps: tuple[Map, Map], description: dict[str, Any]
) -> Cache:
    """Turns the folder of filled maps into a cache by writing its cache.json and renaming it."""
    for filled in maps:
        filled.flush()
    description = {**description, "format": FORMAT, "images": list(maps[0].shape)}
    write_json(partial / "cache.json", description)
    if folder.exists():
        # It has no cache.json, so it never was a complete cache.
        shutil.rmtree(folder)
    partial.rename(folder)
    return open_cache(folder)


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


ROWS_PER_COPY = 256


def build_cache(
    cache_root: Path,
    root: Path,
    paths: list[str],
    pipeline: Pipeline,
    reporter: Reporter,
    *,
    masks: list[str] | None = None,
) -> Cache:
    """Opens the cache of these images, after decoding those that are not decoded yet.

    Row i of the cache is the i-th of `paths`, which are below `root`. `masks` has each image's lung
    mask file, empty if it has none; they are used only if the pipeline needs masks.

    Raises:
        BrokenImagesError: files cannot be read; all others stay decoded.
        DataError: the pipeline makes images of different sizes, or needs masks that are missing.
    """
    loader = ImageLoader(root, paths, _check_masks(masks, paths, pipeline), pipeline)
    files = [*paths, *(loader.masks or [])]
    folder = cache_root / cache_key(files, file_checksums(root, files), pipeline)
    if is_complete(folder):
        return open_cache(folder)
    partial = _partial_folder(folder)
    shape = (len(paths), *loader.item_shape())
    if not (partial / IMAGES).is_file():
        _announce_size(partial, math.prod(shape) + len(paths) * MEASURES.itemsize, reporter)
    images, measures = open_maps(partial, shape)
    with reporter.bar("Decoding images", len(paths)) as bar:
        broken = decode_all(loader, images, measures, bar)
    if broken:
        raise BrokenImagesError(broken)
    return complete_cache(partial, folder, (images, measures), {"pipeline": pipeline.text})


def _announce_size(folder: Path, needed: int, reporter: Reporter) -> None:
    """Says what a large cache takes before anything is decoded.

    Raises:
        DiskSpaceError: there is not enough room.
    """
    ensure_disk_space(folder, needed, "the cache of decoded images (a smaller --size needs less)")
    if needed >= LARGE:
        free = shutil.disk_usage(folder).free
        reporter.note(
            f"Decoded images take {needed / 1e9:.1f} GB at this size, of {free / 1e9:.0f} GB that "
            f"are free: {folder.parent}."
        )


def copy_cache_rows(cache_root: Path, source: Cache, rows: npt.NDArray[np.intp]) -> Cache:
    """Opens the cache whose row i is row `rows[i]` of `source`, after copying the rows if needed.

    The other cache stays, so that a later `prepare` does not decode it again.
    """
    folder = cache_root / digest(source.key, rows.tolist())
    if is_complete(folder):
        return open_cache(folder)
    partial = _partial_folder(folder)
    images, measures = open_maps(partial, (len(rows), *source.images.shape[1:]))
    for start in range(0, len(rows), ROWS_PER_COPY):
        part = slice(start, start + ROWS_PER_COPY)
        images[part] = source.images[rows[part]]
    measures[:] = source.measures[rows]
    description = read_json(source.folder / "cache.json")
    return complete_cache(partial, folder, (images, measures), description)


def _partial_folder(folder: Path) -> Path:
    partial = folder.with_name(f"{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    return partial


def _check_masks(masks: list[str] | None, paths: list[str], pipeline: Pipeline) -> list[str] | None:
    if not pipeline.needs_mask:
        return None
    masks = masks or [""] * len(paths)
    without = [path for path, mask in zip(paths, masks, strict=True) if not mask]
    if without:
        raise DataError(
            f"The pipeline needs lung masks. Received: {len(without)} of {len(paths)} images "
            f"without one, {shorten(without)}. Add the masks, or leave mask and lung_box out of "
            "--pipeline."
        )
    return masks
