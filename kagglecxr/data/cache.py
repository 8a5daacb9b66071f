"""Decodes every image once into one uint8 memory map that all later steps read.

A cache folder is `<key>.partial` until it is whole: a decode that was killed goes on where it
stopped, and is never taken for a cache.
"""

import os
import shutil
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import digest, read_json, write_json
from kagglecxr.core.progress import Bar, Reporter
from kagglecxr.data.duplicates import look_at
from kagglecxr.data.images import BrokenImageError, Image, decode_image
from kagglecxr.data.maps import open_maps
from kagglecxr.data.preprocessing import Pipeline

FORMAT = 1
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

    def of(path: str) -> int:
        return zlib.crc32((root / path).read_bytes())

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(of, paths))


def cache_key(paths: list[str], contents: list[int], pipeline: Pipeline) -> str:
    """The name of the cache of these files through this pipeline."""
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
    cache_root: Path, root: Path, paths: list[str], pipeline: Pipeline, reporter: Reporter
) -> Cache:
    """The cache of these images: opened if whole, completed if partial, made if absent.

    Args:
        cache_root: the folder of all caches.
        root: the data folder.
        paths: image files below it; row i of the cache is path i.
        pipeline: what is done to each image.
        reporter: told of every decoded image.

    Raises:
        BrokenImagesError: naming every file that cannot be read; all others are kept decoded.
        DataError: the pipeline leaves images of different sizes.
    """
    key = cache_key(paths, fingerprints(root, paths), pipeline)
    folder = cache_root / key
    if (folder / "cache.json").is_file():
        return open_cache(folder)
    partial = cache_root / f"{key}.partial"
    partial.mkdir(parents=True, exist_ok=True)
    shape = _item_shape(root, paths, pipeline)
    images, measures = open_maps(partial, (len(paths), *shape))
    with reporter.bar("Decoding images", len(paths)) as bar:
        broken = _decode_all(root, paths, pipeline, images, measures, bar)
    if broken:
        raise BrokenImagesError(broken)
    images.flush()
    measures.flush()
    write_json(
        partial / "cache.json",
        {"format": FORMAT, "pipeline": pipeline.text, "images": list(images.shape)},
    )
    if folder.exists():
        # It lacks its cache.json, so it never was a whole cache.
        shutil.rmtree(folder)
    partial.rename(folder)
    return open_cache(folder)


def _item_shape(root: Path, paths: list[str], pipeline: Pipeline) -> tuple[int, ...]:
    """The shape of one processed image, from the first file that can be read."""
    for path in paths:
        try:
            return pipeline(decode_image((root / path).read_bytes(), path)).shape
        except BrokenImageError:
            continue
    raise BrokenImagesError({path: f"No image can be read, {path} included." for path in paths})


def _decode_all(
    root: Path,
    paths: list[str],
    pipeline: Pipeline,
    images: npt.NDArray[np.uint8],
    measures: npt.NDArray[np.void],
    bar: Bar,
) -> dict[str, str]:
    """Fills every row that is not done; the sentences of those that cannot be, by path."""

    def fill(row: int) -> str | None:
        if measures["done"][row]:
            return None
        path = paths[row]
        try:
            image = decode_image((root / path).read_bytes(), path)
        except BrokenImageError as error:
            return str(error)
        images[row] = _same_shape(pipeline(image), images.shape[1:], path)
        look = look_at(image)
        measures["width"][row], measures["height"][row] = image.shape[1], image.shape[0]
        measures["phash"][row], measures["thumbnail"][row] = look.phash, look.thumbnail
        measures["done"][row] = True
        return None

    broken = {}
    with _one_opencv_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, sentence in zip(paths, pool.map(fill, range(len(paths))), strict=True):
            bar.advance()
            if sentence:
                broken[path] = sentence
    return broken


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
