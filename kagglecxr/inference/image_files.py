"""Decodes image files that no index knows, whatever state they are in."""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.files import digest
from kagglecxr.core.progress import Reporter
from kagglecxr.data.cache.image_loader import ImageLoader, decode_all
from kagglecxr.data.cache.maps import open_maps
from kagglecxr.data.images.image import BrokenImageError, Image
from kagglecxr.inference.members import Member


@dataclass(frozen=True)
class ImageFiles:
    """Image files, decoded once for each pipeline, into memory maps on disk.

    Attributes:
        paths: image files below `root`.
        scratch: a folder for the memory maps.
        broken: why paths could not be read, of those found so far; their images are black.
    """

    root: Path
    paths: list[str]
    scratch: Path
    reporter: Reporter
    broken: dict[str, str] = field(default_factory=dict)
    _decoded: dict[tuple[object, ...], tuple[npt.NDArray[np.uint8], npt.NDArray[np.void]]] = field(
        default_factory=dict
    )

    def images(self, member: Member) -> npt.NDArray[np.uint8]:
        """Returns the images as a run's models take them, (paths, H, W) or (paths, H, W, 3).

        Raises:
            OSError: the disk is full.
        """
        return self._maps(member)[0]

    def sizes(self, member: Member) -> list[tuple[int, int]]:
        """Returns the (height, width) of each image in its file; 0 of broken ones."""
        measures = self._maps(member)[1]
        return [
            (int(h), int(w)) for h, w in zip(measures["height"], measures["width"], strict=True)
        ]

    def _maps(self, member: Member) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.void]]:
        shape = member.record.input_shape
        key = (member.pipeline.text, shape)
        if key not in self._decoded:
            self._decoded[key] = self._decode(member, shape[:2] if shape[2] == 1 else shape)
        return self._decoded[key]

    def _decode(
        self, member: Member, shape: tuple[int, ...]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.void]]:
        # The key has the files' times too: files of the same names may have been others before.
        states = [_file_state(self.root / path) for path in self.paths]
        key = digest(str(self.root), self.paths, states, member.pipeline.text, shape)
        folder = self.scratch / key
        folder.mkdir(parents=True, exist_ok=True)
        images, measures = open_maps(folder, (len(self.paths), *shape))
        loader = _UntrustedFiles(self.root, self.paths, None, member.pipeline, shape)
        with self.reporter.bar("Decoding images", len(self.paths)) as bar:
            self.broken.update(decode_all(loader, images, measures, bar))
        return images, measures


@dataclass(frozen=True)
class _UntrustedFiles(ImageLoader):
    """Files of which any may be broken; an image that does not become `shape` counts as broken."""

    shape: tuple[int, ...]

    def load(self, row: int) -> Image:
        """Reads the image of a row as it is in its file."""
        try:
            return super().load(row)
        except OSError as error:
            raise BrokenImageError(self.paths[row], str(error)) from error

    def preprocess(self, row: int, image: Image) -> Image:
        """Applies the pipeline to the image of a row."""
        try:
            image = super().preprocess(row, image)
        except (cv2.error, ValueError) as error:
            raise BrokenImageError(self.paths[row], str(error)) from error
        if image.shape != self.shape:
            reason = f"it becomes {image.shape} and not {self.shape}"
            raise BrokenImageError(self.paths[row], reason)
        return image


def _file_state(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns
