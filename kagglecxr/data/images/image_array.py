"""Images that are read by rows: an array, a memory map, or the compressed images of a cache."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kagglecxr.data.images.image import Image

BLOCK = 256
"""Images in memory at once where all are gone through."""


class ImageArray(Protocol):
    """Images (N, H, W) or (N, H, W, 3) uint8, which are read by rows.

    `images[row]` is an image; `images[rows]`, of a slice, row numbers or a mask, is an array of
    some, as of any NumPy array.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W) or (N, H, W, 3)."""

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """The type of a pixel."""

    def __len__(self) -> int:
        """The number of images."""

    def __getitem__(self, rows: Any, /) -> npt.NDArray[np.uint8]:
        """Returns an image, or an array of some."""


def blocks(
    images: ImageArray, rows: npt.NDArray[np.intp] | None = None
) -> Iterator[tuple[slice, npt.NDArray[np.uint8]]]:
    """Yields some images, all if None, a block at a time, with their positions among `rows`."""
    count = len(images if rows is None else rows)
    for start in range(0, count, BLOCK):
        part = slice(start, min(start + BLOCK, count))
        yield part, images[part if rows is None else rows[part]]


def each_image(images: ImageArray, rows: npt.NDArray[np.intp]) -> Iterator[Image]:
    """Yields some images one by one, which are read a block at a time."""
    for _, block in blocks(images, rows):
        yield from block
