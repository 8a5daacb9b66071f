"""Builds a cache: decodes images into it, or copies rows of another one."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import digest, read_json
from kagglecxr.core.progress import Reporter
from kagglecxr.data.cache.cache import FORMAT, Cache, cache_key, finish_cache, open_cache, open_maps
from kagglecxr.data.cache.image_loader import (
    BrokenImagesError,
    ImageLoader,
    decode_all,
    file_checksums,
    item_shape,
)
from kagglecxr.data.images.pipeline import Pipeline


def build_cache(
    cache_root: Path,
    root: Path,
    paths: list[str],
    pipeline: Pipeline,
    reporter: Reporter,
    *,
    masks: list[str] | None = None,
) -> Cache:
    """The cache of these images: opened if whole, completed if partial, made if absent.

    Args:
        cache_root: the folder of all caches.
        root: the data folder.
        paths: image files below it; row i of the cache is path i.
        pipeline: what is done to each image.
        reporter: told of every decoded image.
        masks: the lung mask's file of each image, below the data folder, empty where there is
            none; read only where the pipeline needs masks.

    Raises:
        BrokenImagesError: naming every file that cannot be read; all others are kept decoded.
        DataError: the pipeline leaves images of different sizes, or needs masks that are not
            there.
    """
    source = ImageLoader(root, paths, _wanted(masks, paths, pipeline), pipeline)
    files = [*paths, *(source.masks or [])]
    key = cache_key(files, file_checksums(root, files), pipeline)
    folder = cache_root / key
    if (folder / "cache.json").is_file():
        return open_cache(folder)
    partial = cache_root / f"{key}.partial"
    partial.mkdir(parents=True, exist_ok=True)
    shape = item_shape(source)
    images, measures = open_maps(partial, (len(paths), *shape))
    with reporter.bar("Decoding images", len(paths)) as bar:
        broken = decode_all(source, images, measures, bar)
    if broken:
        raise BrokenImagesError(broken)
    described = {"format": FORMAT, "pipeline": pipeline.text, "images": list(images.shape)}
    finish_cache(partial, folder, (images, measures), described)
    return open_cache(folder)


def _wanted(masks: list[str] | None, paths: list[str], pipeline: Pipeline) -> list[str] | None:
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


ROWS_PER_COPY = 256
"""Rows copied at a time."""


def copy_cache_rows(cache_root: Path, whole: Cache, rows: npt.NDArray[np.intp]) -> Cache:
    """The cache whose row i is row `rows[i]` of a whole one; opened if it was made before.

    The whole cache stays where it is, so that a later `prepare` need not decode it again.

    Args:
        cache_root: the folder of all caches.
        whole: the cache copied from.
        rows: of `whole`, (M,).

    Raises:
        OSError: the disk is full.
    """
    folder = cache_root / digest(whole.key, rows.tolist())
    if (folder / "cache.json").is_file():
        return open_cache(folder)
    partial = folder.with_name(f"{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    images, measures = open_maps(partial, (len(rows), *whole.images.shape[1:]))
    for start in range(0, len(rows), ROWS_PER_COPY):
        images[start : start + ROWS_PER_COPY] = whole.images[rows[start : start + ROWS_PER_COPY]]
    measures[:] = whole.measures[rows]
    described = {**read_json(whole.folder / "cache.json"), "images": list(images.shape)}
    finish_cache(partial, folder, (images, measures), described)
    return open_cache(folder)
