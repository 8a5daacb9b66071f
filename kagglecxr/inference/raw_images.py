"""Reads image files as they are, a few at a time and in batches of one shape."""

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.progress import Reporter
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.images.image import BrokenImageError, Image

MAX_NAMED = 50
"""Images named in one line."""
CHUNK = 16
"""Raw images in memory at once."""
MAX_VALUES = 2**24
"""Values (pixels times channels) of a batch of raw images, unless one image has more."""


@dataclass(frozen=True)
class RawImages:
    """Image files whose pixels an exported model takes as they are.

    Attributes:
        paths: relative to the current folder, or absolute.
        size: the (height, width) that images have to have; None for any.
        unreadable: why files could not be read, of those read so far.
    """

    paths: Sequence[str]
    size: tuple[int, int] | None
    unreadable: dict[str, str] = field(default_factory=dict)

    def batches(
        self, reporter: Reporter, title: str
    ) -> Iterator[tuple[list[str], npt.NDArray[np.float32]]]:
        """Yields paths and raw pixels (batch, H, W, 1 or 3) of images of one shape each."""
        with reporter.bar(title, len(self.paths)) as bar, ThreadPoolExecutor() as pool:
            for start in range(0, len(self.paths), CHUNK):
                chunk = self.paths[start : start + CHUNK]
                images: dict[str, Image] = {}
                for path, image in zip(chunk, pool.map(self._read, chunk), strict=True):
                    if isinstance(image, BrokenImageError):
                        self.unreadable[path] = image.reason
                    else:
                        images[path] = image
                yield from _of_one_shape(images)
                bar.advance(len(chunk))

    def _read(self, path: str) -> Image | BrokenImageError:
        try:
            image = read_image(Path(path))
        except BrokenImageError as error:
            return error
        except OSError as error:
            return BrokenImageError(path, str(error))
        if self.size not in (None, image.shape[:2]):
            return BrokenImageError(path, f"it is of {image.shape[:2]} and not {self.size} pixels")
        return image


def report_unreadable(
    reasons: Mapping[str, str], files: int, reporter: Reporter, *, skip: bool
) -> None:
    """Names files that cannot be read.

    Args:
        reasons: why, by the files' paths.
        files: how many there are in all.
        reporter: takes the note.
        skip: whether such files are left out.

    Raises:
        DataError: none can be read, or one cannot that is not to be skipped.
    """
    if not reasons:
        return
    named = shorten([f"{path} ({reasons[path]})" for path in sorted(reasons)], MAX_NAMED)
    count = "an image" if len(reasons) == 1 else f"{len(reasons):,} images"
    if len(reasons) == files:
        raise DataError(f"No image can be read. Received: {named}. Name other files.")
    if not skip:
        raise DataError(
            f"{count.capitalize()} cannot be read. Received: {named}. Replace such files, or leave "
            "them out with --skip-unreadable."
        )
    reporter.note(f"Left out {count} that cannot be read: {named}.")


def _of_one_shape(
    images: Mapping[str, Image],
) -> Iterator[tuple[list[str], npt.NDArray[np.float32]]]:
    of_shape: dict[tuple[int, ...], list[str]] = {}
    for path, image in images.items():
        of_shape.setdefault(image.shape, []).append(path)
    for shape, paths in of_shape.items():
        most = max(1, MAX_VALUES // math.prod(shape))
        for start in range(0, len(paths), most):
            some = paths[start : start + most]
            pixels = np.stack([images[path] for path in some]).astype(np.float32)
            yield some, pixels.reshape(len(some), *shape[:2], -1)
