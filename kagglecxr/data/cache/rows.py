"""The cache of some of a cache's images: copied row by row, so that none is decoded again."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.files import digest, read_json
from kagglecxr.data.cache.cache import Cache, open_cache
from kagglecxr.data.cache.maps import make_whole, open_maps

COPIED = 256
"""Rows copied at a time."""


def cache_of_rows(cache_root: Path, whole: Cache, rows: npt.NDArray[np.intp]) -> Cache:
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
    for start in range(0, len(rows), COPIED):
        images[start : start + COPIED] = whole.images[rows[start : start + COPIED]]
    measures[:] = whole.measures[rows]
    described = {**read_json(whole.folder / "cache.json"), "images": list(images.shape)}
    make_whole(partial, folder, (images, measures), described)
    return open_cache(folder)
