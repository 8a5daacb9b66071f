"""Images of a cache compressed without loss, each by itself, and decompressed as rows are read.

An image is stored as its differences along columns and rows (and channels), which are small numbers
in a radiograph, in zlib's code for such ones (Z_RLE). Of 224 x 224 pixels it takes 42 % of them,
where OpenCV's best fast PNG takes 43 % and is read half as fast: `benchmarks/compressing.py`.
"""

import math
import os
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.data.cache.maps import ENTRIES_FILE
from kagglecxr.data.images.image import Image

ALONE = 8
"""Images that one thread reads before another does too: it takes as long to start."""


def compress_image(image: Image) -> bytes:
    """Compresses an image (H, W) or (H, W, 3) without loss; the same bytes on every run."""
    planes = image if image.ndim == 2 else np.moveaxis(image, -1, 0)
    for axis in range(planes.ndim):
        planes = np.diff(planes, axis=axis, prepend=np.uint8(0))
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return packer.compress(planes.tobytes()) + packer.flush()


def decompress_image(data: bytes | memoryview, shape: tuple[int, ...]) -> Image:
    """Returns the image (H, W) or (H, W, 3) of this shape that was compressed.

    Raises:
        zlib.error, ValueError: the data are damaged, or of another shape.
    """
    raw = zlib.decompress(data, bufsize=math.prod(shape))
    planes = np.frombuffer(raw, np.uint8).reshape(*shape[2:], *shape[:2])
    if len(shape) == 2:
        return _sums(planes)
    channels = np.cumsum([_sums(plane) for plane in planes], axis=0, dtype=np.uint8)
    return np.moveaxis(channels, 0, -1)


def _sums(differences: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Sums up differences (H, W) along columns and rows, as np.cumsum does in ten times as long."""
    return np.asarray(cv2.integral(differences)[1:, 1:]).astype(np.uint8)


def shard_path(folder: Path, shard: int) -> Path:
    """Returns the file of a shard: the compressed images of many rows, one after the other."""
    return folder / f"images-{shard:04d}.bin"


@dataclass(frozen=True, eq=False)
class CompressedImages:
    """Images (N, H, W) or (N, H, W, 3) uint8 that take less than half of their size on disk.

    Rows are read as those of an array, several by several threads. It is an `ImageArray`.
    """

    folder: Path
    shape: tuple[int, ...]
    entries: npt.NDArray[np.void]
    _shards: Mapping[int, memoryview]

    @classmethod
    def open(cls, folder: Path, shape: tuple[int, ...]) -> "CompressedImages":
        """Opens the shards in a folder.

        Raises:
            OSError, ValueError: a file is missing, or shorter than it was.
        """
        entries = np.asarray(np.load(folder / ENTRIES_FILE, mmap_mode="r"))
        if entries.shape != shape[:1]:
            raise ValueError(f"{len(entries)} entries for images of shape {shape}")
        ends, shards = entries["offset"] + entries["length"], {}
        for number in map(int, np.unique(entries["shard"])):
            path = shard_path(folder, number)
            shards[number] = np.memmap(path, np.uint8, "r").data
            if len(shards[number]) < ends[entries["shard"] == number].max():
                raise ValueError(f"{path} is too short")
        return cls(folder, shape, entries, shards)

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """The type of a pixel."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> npt.NDArray[np.uint8]:
        """Returns an image, or an array of some.

        Raises:
            IndexError: there are no such rows, or more than rows are asked for.
            DataError: the images are damaged.
        """
        if isinstance(rows, tuple) or rows is None or rows is Ellipsis:
            raise IndexError(
                f"Compressed images are read by rows only. Received: {rows!r}. Take rows first, "
                "and parts of what that returns."
            )
        numbers = np.arange(len(self))[rows]
        if numbers.ndim == 0:
            return self._read(int(numbers))
        images = np.empty((numbers.size, *self.shape[1:]), np.uint8)
        flat = numbers.ravel()

        def fill(part: range) -> None:
            for position in part:
                images[position] = self._read(int(flat[position]))

        threads = min(os.cpu_count() or 1, math.ceil(len(flat) / ALONE))
        if threads < 2:
            fill(range(len(flat)))
        else:
            # Made for each batch, since a process that was forked has no threads of its parent.
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(fill, [range(k, len(flat), threads) for k in range(threads)]))
        return images.reshape(*numbers.shape, *self.shape[1:])

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        """Returns all images as an array in memory."""
        return self[:].astype(dtype or self.dtype, copy=False)

    def _read(self, row: int) -> Image:
        shard, offset, length = (int(value) for value in self.entries[row])
        try:
            return decompress_image(self._shards[shard][offset : offset + length], self.shape[1:])
        except (zlib.error, ValueError) as error:
            raise DataError(
                f"A cache of decoded images is damaged. Received: row {row} in "
                f"{shard_path(self.folder, shard)} ({error}). Remove {self.folder.parent}, whose "
                "caches share such files, and run prepare again."
            ) from error
