"""Builds a cache: decodes images into it, or copies rows of another one."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import digest, read_json
from kagglecxr.core.progress import Reporter
from kagglecxr.data.cache.cache import (
    Cache,
    cache_key,
    complete_cache,
    is_complete,
    open_cache,
    open_maps,
)
from kagglecxr.data.cache.image_loader import (
    BrokenImagesError,
    ImageLoader,
    decode_all,
    file_checksums,
)
from kagglecxr.data.images.pipeline import Pipeline

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
    images, measures = open_maps(partial, (len(paths), *loader.item_shape()))
    with reporter.bar("Decoding images", len(paths)) as bar:
        broken = decode_all(loader, images, measures, bar)
    if broken:
        raise BrokenImagesError(broken)
    return complete_cache(partial, folder, (images, measures), {"pipeline": pipeline.text})


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
