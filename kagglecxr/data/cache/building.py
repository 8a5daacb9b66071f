"""Decodes every image once into one uint8 memory map that all later steps read.

A cache folder is `<key>.partial` until it is whole: a decode that was killed goes on where it
stopped, and is never taken for a cache.
"""

from pathlib import Path

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.progress import Reporter
from kagglecxr.data.cache.cache import FORMAT, Cache, cache_key, open_cache
from kagglecxr.data.cache.decoding import BrokenImagesError, Source, decode_all, item_shape
from kagglecxr.data.cache.files import fingerprints
from kagglecxr.data.cache.maps import make_whole, open_maps
from kagglecxr.data.pixels.preprocessing import Pipeline


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
    source = Source(root, paths, _wanted(masks, paths, pipeline), pipeline)
    files = [*paths, *(source.masks or [])]
    key = cache_key(files, fingerprints(root, files), pipeline)
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
    make_whole(partial, folder, (images, measures), described)
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
