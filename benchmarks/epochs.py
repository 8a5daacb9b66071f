"""How fast a warm epoch of balanced batches is, against Keras' flow_from_directory.

Run: python -m benchmarks.epochs
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from benchmarks.files import write_files
from benchmarks.timing import in_turn
from kagglecxr.core.progress import Silent
from kagglecxr.data.cache.cache import build_cache
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.sequences.augmentation import Augmentation
from kagglecxr.data.sequences.sequence import BalancedSequence

SIZE, BATCH, TURNS = 224, 32, 5
ROTATION, ZOOM = 20.0, 0.1


class Indexed(Protocol):
    """Batches by number."""

    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> object: ...


@dataclass(frozen=True)
class Gather:
    """Bare copies of rows from the memory map."""

    images: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        """Batches in all."""
        return len(self.rows)

    def __getitem__(self, number: int) -> np.ndarray:
        """One of them."""
        return self.images[self.rows[number]]


def go_through(batches: Indexed) -> None:
    """Takes every batch and lets it go, as training does."""
    for number in range(len(batches)):
        batches[number]


def main() -> None:
    """Prints images a second of both, plain and augmented, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "files"
        paths, labels = write_files(root)
        pipeline = Pipeline.parse("gray | resize", SIZE)
        cache = build_cache(Path(folder) / "cache", root, paths, pipeline, Silent())
        moves = Augmentation(
            hflip=0.0, rotation=ROTATION, zoom=ZOOM, shift=0.0, contrast=0.0, brightness=0.0
        )
        for title, transform, options, wanted in (
            ("plain", None, {}, 100),
            ("rotated and zoomed", moves, {"rotation_range": ROTATION, "zoom_range": ZOOM}, 30),
        ):
            batches = BalancedSequence(cache.images, labels, BATCH, transform=transform)
            theirs = ImageDataGenerator(**options).flow_from_directory(
                root, (SIZE, SIZE), color_mode="grayscale", batch_size=BATCH, seed=0
            )
            pair = in_turn(
                lambda batches=batches: go_through(batches),
                lambda theirs=theirs: go_through(theirs),
                TURNS,
            )
            # An epoch of balanced batches shows more images than there are files.
            ours = len(batches) * BATCH / pair.ours
            other = len(paths) / pair.other
            print(
                f"{title}: {ours:.0f} images/s, flow_from_directory {other:.0f}, "
                f"ratio {ours / other:.0f} (wanted: {wanted})"
            )
        rows = np.random.default_rng(0).integers(0, len(paths), (len(batches), BATCH))
        bare = np.asarray(cache.images)
        batches = BalancedSequence(cache.images, labels, BATCH)
        pair = in_turn(
            lambda: go_through(batches),
            lambda: go_through(Gather(bare, rows)),
            TURNS,
        )
        print(f"plain against a bare gather from the memory map: ratio {pair.ratio:.2f}")


if __name__ == "__main__":
    main()
