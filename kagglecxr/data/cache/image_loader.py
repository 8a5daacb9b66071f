"""Reads and decodes the image files behind a cache in threads."""

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
from kagglecxr.core.progress import Bar
from kagglecxr.data.images.decode import decode_image, read_mask
from kagglecxr.data.images.image import BrokenImageError, Image
from kagglecxr.data.images.phash import fingerprint
from kagglecxr.data.images.pipeline import Pipeline


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
class ImageLoader:
    """The files behind a cache's rows, and what is done to them.

    Attributes:
        root: the data folder.
        paths: image files below it, in the rows' order.
        masks: each image's lung mask, likewise; None where the pipeline needs none.
        pipeline: what is done to each image.
    """

    root: Path
    paths: list[str]
    masks: list[str] | None
    pipeline: Pipeline

    def original(self, row: int) -> Image:
        """A row's image as it is in its file."""
        return decode_image(read_file(self.root, self.paths[row]), self.paths[row])

    def processed(self, row: int, original: Image) -> Image:
        """The same as it is in the cache."""
        if self.masks is None:
            return self.pipeline(original)
        mask = read_mask(self.root / self.masks[row], original.shape[:2])
        return self.pipeline(original, mask)


def item_shape(source: ImageLoader) -> tuple[int, ...]:
    """The shape of one processed image, from the first file that can be read."""
    for row in range(len(source.paths)):
        try:
            return source.processed(row, source.original(row)).shape
        except BrokenImageError:
            continue
    raise BrokenImagesError(
        {path: f"No image can be read, {path} included." for path in source.paths}
    )


def decode_all(
    source: ImageLoader,
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
        look = fingerprint(image)
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
        for some in pool.map(fill_some, chunks(range(len(source.paths)))):
            broken |= some
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


Item = TypeVar("Item")


def chunks(items: Iterable[Item]) -> list[tuple[Item, ...]]:
    """Tasks for threads: handing over one image at a time costs too much."""
    listed, portion = list(items), 16
    return [tuple(listed[at : at + portion]) for at in range(0, len(listed), portion)]


def read_file(root: Path, path: str) -> bytes:
    """A file's bytes."""
    # Plain calls: over thousands of small files Path objects cost a tenth of the decoding.
    with open(os.path.join(root, path), "rb", buffering=0) as stream:  # noqa: PTH118, PTH123
        return stream.read()


def file_checksums(root: Path, paths: list[str]) -> list[int]:
    """The CRC-32 of each file's bytes: what the cache's key knows a file by."""

    def of(some: tuple[str, ...]) -> list[int]:
        return [zlib.crc32(read_file(root, path)) for path in some]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(itertools.chain.from_iterable(pool.map(of, chunks(paths))))
