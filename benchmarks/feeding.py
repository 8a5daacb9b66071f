"""What `fit` loses to waiting for batches of a cache, plain or compressed, and how fast these are.

The batches alone are read cold, after the disk's pages were dropped, and warm, in turn with those
of Keras' flow_from_directory.

Run: python -m benchmarks.feeding
"""

import functools
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from benchmarks.epochs import Indexed, go_through
from benchmarks.files import write_files
from benchmarks.timing import in_turn, seconds
from kagglecxr.core.progress import Silent
from kagglecxr.data.cache.cache import build_cache, open_cache
from kagglecxr.data.cache.cache_form import CacheForm
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.sequences.sequence import BalancedSequence
from kagglecxr.models import create_model

SIZE, READ_SIZE, BATCH, TURNS = 128, 224, 32, 5
FORMS: tuple[CacheForm, ...] = ("plain", "compressed")


class InMemory(keras.utils.PyDataset):  # type: ignore[misc]
    """The same batches, gathered beforehand."""

    def __init__(self, batches: BalancedSequence) -> None:
        super().__init__()
        self._batches = [batches[k] for k in range(len(batches))]

    def __len__(self) -> int:
        """Batches in all."""
        return len(self._batches)

    def __getitem__(self, number: int) -> tuple[np.ndarray[Any, Any], ...]:
        """One of them."""
        return self._batches[number]


@dataclass(frozen=True)
class Source:
    """Batches of images that lie in a folder; `images` are shown in an epoch."""

    name: str
    folder: Path
    open: Callable[[], Indexed]
    images: int


def forget(folder: Path) -> None:
    """Drops a folder's files from the memory in which the system keeps what was read."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def size_of(folder: Path) -> float:
    """The megabytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def time_sources(sources: Sequence[Source]) -> None:
    """Prints images a second of each source, cold and warm, and their ratios to the last one."""
    rates = np.zeros((TURNS, len(sources), 2))
    for turn in range(TURNS):
        for number, source in enumerate(sources):
            forget(source.folder)
            # Batches that are not let go before the next turn keep their files in memory.
            epoch = functools.partial(go_through, source.open())
            rates[turn, number] = [source.images / seconds(epoch) for _ in ("cold", "warm")]
            del epoch
    ratios = np.median(rates / rates[:, -1:], axis=0)
    for number, source in enumerate(sources):
        cold, warm = np.median(rates, axis=0)[number]
        print(
            f"{source.name}, {size_of(source.folder):.0f} MB: {cold:,.0f} images/s cold, "
            f"{warm:,.0f} warm, {ratios[number, 0]:.2f} and {ratios[number, 1]:.2f} times as many "
            f"as {sources[-1].name}"
        )


def time_fit(name: str, batches: BalancedSequence) -> None:
    """Prints the seconds of an epoch of training, from a cache and from memory."""
    model = create_model("cnn_small", num_classes=batches.num_targets, input_shape=(SIZE, SIZE, 1))
    model.compile("adam", "categorical_crossentropy")
    memory = InMemory(batches)
    pair = in_turn(
        lambda: model.fit(batches, epochs=1, verbose=0),
        lambda: model.fit(memory, epochs=1, verbose=0),
        TURNS,
    )
    print(
        f"an epoch of fit: {pair.ours:.2f} s from the {name} cache, {pair.other:.2f} s from "
        f"memory, ratio {1 / pair.ratio:.3f} (wanted of plain: at most 1.03)"
    )


def main() -> None:
    """Prints the rates of batches alone, and the seconds of an epoch with their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "files"
        paths, labels = write_files(root)

        def build(size: int, form: CacheForm) -> Path:
            pipeline = Pipeline.parse("gray | resize", size)
            parent = Path(folder) / form
            return build_cache(parent, root, paths, pipeline, Silent(), form=form).folder

        def batches(built: Path) -> BalancedSequence:
            return BalancedSequence(open_cache(built).images, labels, BATCH)

        def read_files() -> Indexed:
            theirs: Indexed = ImageDataGenerator().flow_from_directory(
                root, (READ_SIZE,) * 2, color_mode="grayscale", batch_size=BATCH, seed=0
            )
            return theirs

        sources = [Source("flow_from_directory", root, read_files, len(paths))]
        for form in reversed(FORMS):
            built = build(READ_SIZE, form)
            # An epoch of balanced batches shows more images than there are files.
            shown = len(batches(built)) * BATCH
            sources.insert(0, Source(form, built, functools.partial(batches, built), shown))
        time_sources(sources)
        for form in FORMS:
            time_fit(form, batches(build(SIZE, form)))


if __name__ == "__main__":
    main()
