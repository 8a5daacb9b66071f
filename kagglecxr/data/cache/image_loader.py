"""Reads and decodes the image files behind a cache in threads."""

import itertools
import os
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.core.progress import Bar
from kagglecxr.data.images.decode import decode_image, read_mask
from kagglecxr.data.images.image import BrokenImageError, Image, fingerprint
from kagglecxr.data.images.pipeline import Pipeline

Item = TypeVar("Item")
Kept = TypeVar("Kept")

CHUNK = 16
"""Files per task of a thread: a task per file would cost too much."""


class BrokenImagesError(DataError):
    """Images that cannot be read, by the reason of each path."""

    def __init__(self, reasons: dict[str, str]) -> None:
        self.paths = sorted(reasons)
        shown = shorten([f"{path} ({reasons[path]})" for path in self.paths], 10)
        what = "An image" if len(reasons) == 1 else f"{len(reasons):,} images"
        super().__init__(
            f"{what} cannot be read. Received: {shown}. Replace such files; prepare leaves them "
            "out with --skip-broken."
        )


@dataclass(frozen=True)
class ImageLoader:
    """The image files and masks behind a cache's rows, and how they are preprocessed."""

    root: Path
    paths: list[str]
    masks: list[str] | None
    pipeline: Pipeline

    def load(self, row: int) -> Image:
        """Decodes a row's file."""
        return decode_image(_read_file(self.root, self.paths[row]), self.paths[row])

    def preprocess(self, row: int, image: Image) -> Image:
        """Applies the pipeline to a row's decoded image."""
        if self.masks is None:
            return self.pipeline(image)
        return self.pipeline(image, read_mask(self.root / self.masks[row], image.shape[:2]))

    def item_shape(self) -> tuple[int, ...]:
        """Returns the shape of a preprocessed image, from the first file that can be read."""
        reasons = {}
        for row in range(len(self.paths)):
            try:
                return self.preprocess(row, self.load(row)).shape
            except BrokenImageError as error:
                reasons[self.paths[row]] = _reason(error, self.paths[row])
        raise BrokenImagesError(reasons)


@dataclass(frozen=True)
class DecodedChunk(Generic[Kept]):
    """What was kept of the images of some rows, and why others cannot be read, by their paths."""

    kept: list[tuple[int, Kept]]
    broken: dict[str, str]


def decode_all(
    loader: ImageLoader,
    images: npt.NDArray[np.uint8],
    measures: npt.NDArray[np.void],
    bar: Bar,
) -> dict[str, str]:
    """Fills all rows that are not done; returns why files cannot be read by their paths."""
    # A plain array on the same memory: indexing a memmap costs more than hashing does.
    pixels = np.asarray(images)
    missing = np.flatnonzero(~measures["done"])
    bar.advance(len(measures) - len(missing))

    def keep(row: int, image: Image) -> None:
        pixels[row] = image

    broken: dict[str, str] = {}
    for chunk in decode_rows(loader, missing.tolist(), pixels.shape[1:], measures, keep, bar):
        broken |= chunk.broken
    return broken


def decode_rows(
    loader: ImageLoader,
    rows: Iterable[int],
    shape: tuple[int, ...],
    measures: npt.NDArray[np.void],
    keep: Callable[[int, Image], Kept],
    bar: Bar,
) -> Generator[DecodedChunk[Kept]]:
    """Decodes some rows in threads, and fills in their measures.

    Each preprocessed image must have the `shape`; `keep` is called with a row and its image.

    Yields:
        What `keep` returned, in the order of the rows.
    """
    done, width, height, phash, thumbnail = (
        np.asarray(measures[name]) for name in ("done", "width", "height", "phash", "thumbnail")
    )

    def decode(row: int) -> Kept:
        image = loader.load(row)
        processed = loader.preprocess(row, image)
        if processed.shape != shape:
            raise _different(loader.paths[row], processed.shape, shape)
        kept = keep(row, processed)
        measured = fingerprint(image)
        height[row], width[row] = image.shape[:2]
        phash[row], thumbnail[row] = measured.phash, measured.thumbnail
        done[row] = True
        return kept

    def decode_chunk(some: tuple[int, ...]) -> DecodedChunk[Kept]:
        kept, broken = [], {}
        for row in some:
            try:
                kept.append((row, decode(row)))
            except BrokenImageError as error:
                broken[loader.paths[row]] = _reason(error, loader.paths[row])
        bar.advance(len(some))
        return DecodedChunk(kept, broken)

    with _single_threaded_opencv(), ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(decode_chunk, _chunks(rows))


def _reason(error: BrokenImageError, path: str) -> str:
    """Why a path's image cannot be made: its mask may be what is broken."""
    return error.reason if error.name == path else f"{error.name}: {error.reason}"


def _different(path: str, shape: tuple[int, ...], first: tuple[int, ...]) -> DataError:
    if shape[:2] == first[:2]:
        what, advice = "numbers of channels", "Put gray or rgb into it"
    else:
        what, advice = "sizes", "Put resize into it"
    return DataError(
        f"The images have different {what} after the pipeline. Received: {path} of shape {shape}, "
        f"the first of shape {first}. {advice}, for example --pipeline 'gray | resize'."
    )


def file_checksums(root: Path, paths: list[str]) -> list[int]:
    """Returns the CRC-32 of each file's bytes, by which a cache's key identifies it."""

    def checksums(some: tuple[str, ...]) -> list[int]:
        return [_checksum(root, path) for path in some]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(itertools.chain.from_iterable(pool.map(checksums, _chunks(paths))))


def _checksum(root: Path, path: str) -> int:
    try:
        return zlib.crc32(_read_file(root, path))
    except FileNotFoundError as error:
        raise MissingError(
            f"A file that the index names is not there. Looked for: {root / path}. Put it back, or "
            "run prepare again."
        ) from error


def _chunks(items: Iterable[Item]) -> list[tuple[Item, ...]]:
    listed = list(items)
    return [tuple(listed[at : at + CHUNK]) for at in range(0, len(listed), CHUNK)]


def _read_file(root: Path, path: str) -> bytes:
    # Path objects would cost a tenth of the decoding of thousands of small files.
    with open(os.path.join(root, path), "rb", buffering=0) as stream:  # noqa: PTH118, PTH123
        return stream.read()


@contextmanager
def _single_threaded_opencv() -> Iterator[None]:
    # OpenCV's own threads would compete with ours, which are better since they overlap reading.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
