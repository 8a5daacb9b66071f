"""Decodes images that no index knows, whatever state they are in."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.files import digest
from kagglecxr.core.progress import Reporter
from kagglecxr.data.cache.cache import open_maps
from kagglecxr.data.cache.image_loader import ImageLoader, decode_all
from kagglecxr.data.images.image import Image, broken_image
from kagglecxr.data.images.pipeline import Pipeline


@dataclass(frozen=True)
class DecodedFiles:
    """Decoded images, row i of path i.

    Attributes:
        images: (N, H, W) or (N, H, W, 3) uint8, a memory map; black where a file is broken.
        broken: the paths that cannot be read.
    """

    images: npt.NDArray[np.uint8]
    broken: frozenset[str]


def decode_files(
    root: Path,
    paths: list[str],
    pipeline: Pipeline,
    shape: tuple[int, int, int],
    scratch: Path,
    reporter: Reporter,
) -> DecodedFiles:
    """The images as a model takes them; what cannot be read is left black and named.

    Args:
        root: the data folder.
        paths: image files below it.
        pipeline: what is done to each.
        shape: (H, W, C) of one that is done.
        scratch: a folder for the memory map.
        reporter: told of every image.

    Raises:
        OSError: the disk is full.
    """
    height, width, channels = shape
    item = (height, width) if channels == 1 else shape
    # Of the files' times too: what was decoded before may have been of another test part.
    states = [_file_state(root / path) for path in paths]
    folder = scratch / digest(str(root), paths, states, pipeline.text)
    folder.mkdir(parents=True, exist_ok=True)
    images, measures = open_maps(folder, (len(paths), *item))
    source = _UntrustedFiles(root, paths, None, pipeline, item)
    with reporter.bar("Decoding images", len(paths)) as bar:
        failed = decode_all(source, images, measures, bar)
    return DecodedFiles(images, frozenset(failed))


@dataclass(frozen=True)
class _UntrustedFiles(ImageLoader):
    """Files of which any may be anything: none of them ends the decoding of the others.

    Attributes:
        item: the shape that each image has in the end.
    """

    item: tuple[int, ...]

    def load(self, row: int) -> Image:
        """A row's image as it is in its file."""
        try:
            return super().load(row)
        except OSError as error:
            raise broken_image(self.paths[row], str(error)) from error

    def preprocess(self, row: int, image: Image) -> Image:
        """The same as a model takes it."""
        try:
            image = super().preprocess(row, image)
        except (cv2.error, ValueError) as error:
            raise broken_image(self.paths[row], str(error)) from error
        if image.shape != self.item:
            raise broken_image(self.paths[row], f"it becomes {image.shape} and not {self.item}")
        return image


def _file_state(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns
