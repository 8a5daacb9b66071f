"""Decodes every image once into one uint8 memory map that all later steps read.

A cache folder is `<key>.partial` until it is whole: a decode that was killed goes on where it
stopped, and is never taken for a cache.
"""

import itertools
import os
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import digest, read_json
from kagglecxr.core.progress import Bar, Reporter
from kagglecxr.data.cache.maps import make_whole, open_maps
from kagglecxr.data.leaks.duplicates import look_at
from kagglecxr.data.pixels.images import BrokenImageError, Image, decode_image
from kagglecxr.data.pixels.masks import read_mask
from kagglecxr.data.pixels.preprocessing import Pipeline

FORMAT = 2
"""Raised when what a cache folder holds changes its meaning: older ones are then left alone."""


class BrokenImagesError(DataError):
    """Images of a data set that cannot be read; `paths` names them all."""

    def __init__(self, broken: dict[str, str]) -> None:
        self.paths = sorted(broken)
        more = (
            f" {len(broken)} files are broken in all: {shorten(self.paths)}."
            if len(broken) > 1
            else ""
        )
        super().__init__(broken[self.paths[0]] + more)


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


def fingerprints(root: Path, paths: list[str]) -> list[int]:
    """The CRC-32 of each file's bytes: what the cache's key knows a file by."""

    def of(some: tuple[str, ...]) -> list[int]:
        return [zlib.crc32(_read(root, path)) for path in some]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(itertools.chain.from_iterable(pool.map(of, _portions(paths))))


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
    source = _Source(root, paths, _wanted(masks, paths, pipeline), pipeline)
    files = [*paths, *(source.masks or [])]
    key = cache_key(files, fingerprints(root, files), pipeline)
    folder = cache_root / key
    if (folder / "cache.json").is_file():
        return open_cache(folder)
    partial = cache_root / f"{key}.partial"
    partial.mkdir(parents=True, exist_ok=True)
    shape = _item_shape(source)
    images, measures = open_maps(partial, (len(paths), *shape))
    with reporter.bar("Decoding images", len(paths)) as bar:
        broken = _decode_all(source, images, measures, bar)
    if broken:
        raise BrokenImagesError(broken)
    described = {"format": FORMAT, "pipeline": pipeline.text, "images": list(images.shape)}
    make_whole(partial, folder, (images, measures), described)
    return open_cache(folder)


@dataclass(frozen=True)
class _Source:
    """The files behind a cache's rows, and what is done to them."""

    root: Path
    paths: list[str]
    masks: list[str] | None
    pipeline: Pipeline

    def original(self, row: int) -> Image:
        return decode_image(_read(self.root, self.paths[row]), self.paths[row])

    def processed(self, row: int, original: Image) -> Image:
        if self.masks is None:
            return self.pipeline(original)
        mask = read_mask(self.root / self.masks[row], original.shape[:2])
        return self.pipeline(original, mask)


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


def _item_shape(source: _Source) -> tuple[int, ...]:
    """The shape of one processed image, from the first file that can be read."""
    for row in range(len(source.paths)):
        try:
            return source.processed(row, source.original(row)).shape
        except BrokenImageError:
            continue
    raise BrokenImagesError(
        {path: f"No image can be read, {path} included." for path in source.paths}
    )


def _decode_all(
    source: _Source,
    images: npt.NDArray[np.uint8],
    measures: npt.NDArray[np.void],
    bar: Bar,
) -> dict[str, str]:
    """Fills every row that is not done; the sentences of those that cannot be, by path."""
    # Plain arrays on the same memory: indexing a memmap costs more than hashing does.
    pixels = np.asarray(images)
    done, width, height, phash, thumbnail = (
        np.asarray(measures[name]) for name in ("done", "width", "height", "phash", "thumbnail")
    )

    def fill(row: int) -> str | None:
        if done[row]:
            return None
        try:
            image = source.original(row)
            processed = source.processed(row, image)
        except BrokenImageError as error:
            return str(error)
        pixels[row] = _same_shape(processed, pixels.shape[1:], source.paths[row])
        look = look_at(image)
        height[row], width[row] = image.shape[:2]
        phash[row], thumbnail[row] = look.phash, look.thumbnail
        done[row] = True
        return None

    def fill_some(rows: tuple[int, ...]) -> dict[str, str]:
        told = {source.paths[row]: fill(row) for row in rows}
        bar.advance(len(rows))
        return {path: sentence for path, sentence in told.items() if sentence}

    broken: dict[str, str] = {}
    with _one_opencv_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        for some in pool.map(fill_some, _portions(range(len(source.paths)))):
            broken |= some
    return broken


def _read(root: Path, path: str) -> bytes:
    # Plain calls: over thousands of small files Path objects cost a tenth of the decoding.
    with open(os.path.join(root, path), "rb", buffering=0) as stream:  # noqa: PTH118, PTH123
        return stream.read()


_Item = TypeVar("_Item")


def _portions(items: Iterable[_Item]) -> list[tuple[_Item, ...]]:
    """Tasks for the threads: handing over one image at a time costs too much."""
    listed, portion = list(items), 16
    return [tuple(listed[at : at + portion]) for at in range(0, len(listed), portion)]


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    # OpenCV's own threads would compete with ours, which do better: they overlap reading too.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _same_shape(image: Image, shape: tuple[int, ...], path: str) -> Image:
    if image.shape != shape:
        raise DataError(
            f"The images have different sizes and the pipeline does not make them one. Received: "
            f"{path} of shape {image.shape}, the first of shape {shape}. Put resize into the "
            "pipeline."
        )
    return image
