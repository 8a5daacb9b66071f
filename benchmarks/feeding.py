"""What `fit` loses to waiting for balanced batches, against the same batches in memory.

Run: python -m benchmarks.feeding
"""

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks.files import write_files
from benchmarks.timing import in_turn
from kagglecxr.core.progress import Silent
from kagglecxr.data.cache.cache import build_cache
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.sequences.sequence import BalancedSequence
from kagglecxr.models import create_model

SIZE, BATCH, TURNS = 128, 32, 5


class InMemory(keras.utils.PyDataset):  # type: ignore[misc]
    """The same batches, gathered beforehand."""

    def __init__(self, batches: BalancedSequence) -> None:
        super().__init__()
        self._batches = [batches[k] for k in range(len(batches))]

    def __len__(self) -> int:
        """Batches in all."""
        return len(self._batches)

    def __getitem__(self, number: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """One of them."""
        return self._batches[number]


def main() -> None:
    """Prints the seconds of an epoch of both, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "files"
        paths, labels = write_files(root)
        pipeline = Pipeline.parse("gray | resize", SIZE)
        cache = build_cache(Path(folder) / "cache", root, paths, pipeline, Silent())
        model = create_model("cnn_small", num_classes=4, input_shape=(SIZE, SIZE, 1))
        model.compile("adam", "categorical_crossentropy")
        ours = BalancedSequence(cache.images, labels, BATCH)
        memory = InMemory(ours)
        pair = in_turn(
            lambda: model.fit(ours, epochs=1, verbose=0),
            lambda: model.fit(memory, epochs=1, verbose=0),
            TURNS,
        )
    print(
        f"an epoch of fit: {pair.ours:.2f} s from the cache, {pair.other:.2f} s from memory, "
        f"ratio {1 / pair.ratio:.3f} (wanted: at most 1.03)"
    )


if __name__ == "__main__":
    main()
