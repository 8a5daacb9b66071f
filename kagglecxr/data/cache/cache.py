"""One folder of decoded images: its name, and what is read from it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import digest, read_json
from kagglecxr.data.pixels.preprocessing import Pipeline

FORMAT = 2
"""Raised when what a cache folder holds changes its meaning: older ones are then left alone."""


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
