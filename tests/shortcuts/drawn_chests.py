"""Pictures of two lungs whose brightness or whose corner says the class, and nets that read it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kagglecxr.shortcuts.held_out import AuditedImages, Outputs
from kagglecxr.shortcuts.regions import Pixels

SIDE = 40
CORNER = (slice(0, 5), slice(0, 5))


def lungs_at(top: int, left: int) -> npt.NDArray[np.bool_]:
    """Two boxes beside one another."""
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[top : top + 18, left : left + 8] = True
    mask[top : top + 18, left + 13 : left + 21] = True
    return mask


def drawn_chests(number: int = 80, *, corner: float, patients: int = 0) -> AuditedImages:
    """Lungs are brighter in class 1; a white corner is right in a share of the images."""
    random = np.random.default_rng(4)
    classes = np.arange(number) % 2
    lungs = np.stack([lungs_at(*random.integers([8, 8], [14, 12]).tolist()) for _ in range(number)])
    images = random.integers(90, 110, (number, SIDE, SIDE, 1)).astype(np.float64)
    images[lungs] += (np.repeat(classes, lungs.sum(axis=(1, 2))) * 60 - 60)[:, None]
    has_corner = (random.random(number) < corner) == (classes == 1)
    for image, is_marked in zip(images, has_corner, strict=True):
        image[CORNER] = 250 if is_marked else 100
    return AuditedImages(
        np.array([f"image-{n}" for n in range(number)]),
        images.astype(np.uint8),
        lungs,
        classes,
        np.arange(number) // 2 % 2,
        np.array([f"patient-{n % (patients or number)}" for n in range(number)], object),
        np.array(["here", "there"], object)[np.arange(number) // 2 % 2],
    )


@dataclass(frozen=True)
class PixelReader:
    """Answers as a run does, by what it reads: the corner, or the darkest part, which is lungs."""

    reads_corner: bool

    def predict(self, images: Pixels, folds: npt.NDArray[np.intp]) -> Outputs:
        """Its features are both, and the grey of the whole."""
        corner = images[(slice(None), *CORNER)].mean(axis=(1, 2, 3)) / 255
        dark = np.quantile(images.reshape(len(images), -1), 0.1, axis=1) / 255
        read = 4 * (corner - 0.6) if self.reads_corner else 6 * (dark - 0.25)
        sure = 1 / (1 + np.exp(-3 * read))
        grey = images.mean(axis=(1, 2, 3)) / 255
        features = np.stack([corner, dark, grey], axis=1)
        return Outputs(
            np.stack([1 - sure, sure], axis=1).astype(np.float32), features.astype(np.float32)
        )
