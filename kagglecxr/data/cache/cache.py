"""The cache of decoded images on disk: how it is built and opened, and its key.

Its images are plain, one memory map, or compressed, see `CompressedImages`; they are the same, and
so is its key. A cache folder is called `<key>.partial` until it is complete, so an interrupted
decode is continued and never taken for a cache.
"""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import digest, ensure_disk_space, read_json, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.data.cache.cache_form import CacheForm, WantedForm, choose_form
from kagglecxr.data.cache.compressed_images import CompressedImages
from kagglecxr.data.cache.image_loader import (
    BrokenImagesError,
    ImageLoader,
    decode_all,
    file_checksums,
)
from kagglecxr.data.cache.maps import IMAGES_FILE, MEASURES_FILE, open_entries, open_maps
from kagglecxr.data.cache.shards import decode_shards, link_shards
from kagglecxr.data.images.image_array import ImageArray, blocks
from kagglecxr.data.images.pipeline import Pipeline

FORMAT = 2
"""Increased when the meaning of a cache's files changes; older caches are then ignored."""


@dataclass(frozen=True)
class Cache:
    """Decoded images (N, size, size[, 3]) uint8 and (N,) measures of their files, both on disk."""

    folder: Path
    images: ImageArray
    measures: npt.NDArray[np.void]

    @property
    def key(self) -> str:
        """The cache's name: a digest of images, pipeline and size."""
        return self.folder.name

    @property
    def form(self) -> CacheForm:
        """How the images are stored."""
        return "compressed" if isinstance(self.images, CompressedImages) else "plain"


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
        description = read_json(folder / "cache.json")
        version = description["format"]
        measures = np.load(folder / MEASURES_FILE, mmap_mode="r")
        images: ImageArray
        # Caches of older versions, which name no form, are plain.
        if description.get("form", "plain") == "compressed":
            images = CompressedImages.open(folder, tuple(description["images"]))
        else:
            images = np.load(folder / IMAGES_FILE, mmap_mode="r")
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


def build_cache(
    cache_root: Path,
    root: Path,
    paths: list[str],
    pipeline: Pipeline,
    reporter: Reporter,
    *,
    masks: list[str] | None = None,
    form: WantedForm = "auto",
) -> Cache:
    """Opens the cache of these images, after decoding those that are not decoded yet.

    Row i of the cache is the i-th of `paths`, which are below `root`. `masks` has each image's lung
    mask file, empty if it has none; they are used only if the pipeline needs masks. A complete
    cache is made again only if another form is wanted, never by `auto`.

    Raises:
        BrokenImagesError: files cannot be read; all others stay decoded.
        DataError: the pipeline makes images of different sizes, or needs masks that are missing.
        DiskSpaceError: there is not enough room.
    """
    loader = ImageLoader(root, paths, _check_masks(masks, paths, pipeline), pipeline)
    files = [*paths, *(loader.masks or [])]
    folder = cache_root / cache_key(files, file_checksums(root, files), pipeline)
    if is_complete(folder):
        cache = open_cache(folder)
        if form in ("auto", cache.form):
            return cache
    partial = _partial_folder(folder)
    shape = (len(paths), *loader.item_shape())
    description = {"pipeline": pipeline.text, "images": list(shape)}
    chosen = choose_form(form, partial, loader, shape, reporter)
    if chosen == "compressed":
        maps, broken = decode_shards(loader, partial, shape, reporter)
    else:
        maps = open_maps(partial, shape)
        with reporter.bar("Decoding images", len(paths)) as bar:
            broken = decode_all(loader, *maps, bar)
    if broken:
        raise BrokenImagesError(broken)
    for filled in maps:
        filled.flush()
    return _complete_cache(partial, folder, description | {"form": chosen})


def copy_cache_rows(cache_root: Path, source: Cache, rows: npt.NDArray[np.intp]) -> Cache:
    """Opens the cache whose row i is row `rows[i]` of `source`, after copying the rows if needed.

    It has the source's form. Compressed images are linked, which takes no room on most disks. The
    other cache stays, so that a later `prepare` does not decode it again.

    Raises:
        DiskSpaceError: there is not enough room.
    """
    folder = cache_root / digest(source.key, rows.tolist())
    if is_complete(folder) and (copied := open_cache(folder)).form == source.form:
        return copied
    shutil.rmtree(folder.with_name(f"{folder.name}.partial"), ignore_errors=True)
    partial = _partial_folder(folder)
    shape = (len(rows), *source.images.shape[1:])
    if isinstance(source.images, CompressedImages):
        entries, measures = open_entries(partial, len(rows))
        entries[:] = link_shards(source.images, rows, partial)
        entries.flush()
    else:
        ensure_disk_space(partial, math.prod(shape), "the cache without images that leak")
        images, measures = open_maps(partial, shape)
        for part, block in blocks(source.images, rows):
            images[part] = block
        images.flush()
    measures[:] = source.measures[rows]
    measures.flush()
    description = read_json(source.folder / "cache.json")
    return _complete_cache(partial, folder, description | {"images": list(shape)})


def _complete_cache(partial: Path, folder: Path, description: dict[str, Any]) -> Cache:
    """Turns the folder of filled maps into a cache by writing its cache.json and renaming it."""
    write_json(partial / "cache.json", {**description, "format": FORMAT})
    if folder.exists():
        # It is no complete cache, or one of the form that is no longer wanted.
        shutil.rmtree(folder)
    partial.rename(folder)
    return open_cache(folder)


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
            f"without one, {shorten(without)}. Add the masks, or leave what needs them out "
            "of --pipeline."
        )
    return masks
