"""A folder of small image files, and what their cache holds."""

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.images.steps import ImageAndMask

PATHS = [f"{'ab'[k % 2]}/chest {k}.png" for k in range(7)]
PIPELINE = Pipeline.parse("gray | resize", 8)


class Counter:
    """A pipeline step that counts the images it is shown, and stops at one where requested."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.images = 0
        self.stop_after = stop_after

    def __call__(self, scan: ImageAndMask) -> ImageAndMask:
        self.images += 1
        if self.stop_after is not None and self.images > self.stop_after:
            raise KeyboardInterrupt
        return scan

    def before(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline, of the same name, with this step before its own."""
        return replace(pipeline, _steps=((self, ()), *pipeline._steps))


def write_images(folder: Path) -> Path:
    """Writes seven images of three sizes, one of them in colour; returns their folder."""
    random = np.random.default_rng(0)
    for k, path in enumerate(PATHS):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shape = (20 + k % 3, 16, 3) if k == 4 else (20 + k % 3, 16)
        cv2.imwrite(str(folder / path), random.integers(0, 256, shape, np.uint8))
    return folder


def plainly_decoded(root: Path, size: int = 8) -> npt.NDArray[np.uint8]:
    """The images as a loop of OpenCV makes them."""
    images = []
    for path in PATHS:
        image = cv2.imread(str(root / path), cv2.IMREAD_UNCHANGED)
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        images.append(cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA))
    return np.stack(images)


def damage(path: Path, size: int | None) -> None:
    """Cuts a file to a size, or removes it."""
    if size is None:
        path.unlink()
    else:
        os.truncate(path, size)
