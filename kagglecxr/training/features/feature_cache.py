"""The features of all training images under a frozen trunk, computed once and saved with the cache.

One pass serves every epoch, every fold, and every recipe that differs only in the layers behind the
trunk; each view, as the flipped one, takes another pass.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from filelock import FileLock
from keras import tree

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import atomic_write, digest, ensure_disk_space
from kagglecxr.core.progress import Reporter
from kagglecxr.data.cache.cache import Cache
from kagglecxr.data.sequences.sequence import OrderedSequence
from kagglecxr.inference.tta import VIEWS

Features = npt.NDArray[np.floating]
_BATCH = 64
_THREADS = 2
"""Batches at a time: between the kernels of one, processors are idle that another can use."""


@dataclass(frozen=True)
class FeatureCache:
    """The features of some images, (images, values) in each view: all tensors, concatenated.

    Pooled features are saved in single precision and feature maps, which are a hundred times
    larger, in half precision, with which a head learns the same (see the tests).

    Attributes:
        rows: of the cache's images, in the features' order.
        trunk: computes an image's features.
        name: of the trunk; identifies its features together with its weights.
    """

    cache: Cache
    rows: npt.NDArray[np.intp]
    trunk: keras.Model
    name: str
    reporter: Reporter
    deadline: Deadline | None = None

    def of(self, view: str) -> Features:
        """The features of one view, (images, values): read from disk, or computed and saved."""
        path = self._path(view)
        if not path.is_file():
            path.parent.mkdir(exist_ok=True)
            # Concurrent trainings wait for the first of them; a lock ends with its process.
            with FileLock(path.with_suffix(".lock")):
                if not path.is_file():
                    self._write(path, view)
        features: Features = np.load(path, mmap_mode="r")
        return features

    def tensors(self, values: Features) -> list[npt.NDArray[np.float32]]:
        """Splits (images, values) into the tensors that were concatenated."""
        shapes = self._shapes()
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        parts = np.split(values, ends[:-1], axis=1)
        return [
            part.astype(np.float32).reshape(len(values), *shape)
            for part, shape in zip(parts, shapes, strict=True)
        ]

    def _shapes(self) -> list[tuple[int, ...]]:
        return [tensor.shape[1:] for tensor in tree.flatten(self.trunk.output)]

    def _path(self, view: str) -> Path:
        weights = sha256()
        for array in self.trunk.get_weights():
            weights.update(array.tobytes())
        name = digest(
            self.name,
            self.trunk.output_names,
            [list(shape) for shape in self._shapes()],
            self.rows.tolist(),
            weights.hexdigest(),
            view,
        )
        return self.cache.folder / "features" / f"{name[:16]}.npy"

    def _write(self, path: Path, view: str) -> None:
        shapes = self._shapes()
        shape = (len(self.rows), sum(math.prod(shape) for shape in shapes))
        is_pooled = all(len(shape) == 1 for shape in shapes)
        dtype: np.dtype[np.floating] = np.dtype(np.float32 if is_pooled else np.float16)
        ensure_disk_space(path.parent, dtype.itemsize * math.prod(shape), path.name)
        batches = OrderedSequence(self.cache.images, self.rows, _BATCH, view=VIEWS[view].array)
        with (
            atomic_write(path) as partial,
            self.reporter.bar(f"Features of {self.trunk.name}, {view}", len(batches)) as bar,
        ):
            features = np.lib.format.open_memmap(partial, "w+", dtype, shape)

            def compute(number: int) -> None:
                tensors = tree.flatten(self.trunk.predict_on_batch(batches[number][0]))
                values = np.concatenate([part.reshape(len(part), -1) for part in tensors], axis=1)
                _assert_representable(values, dtype)
                features[number * _BATCH : number * _BATCH + len(values)] = values

            with ThreadPoolExecutor(_THREADS) as pool:
                # The first batch takes long, since it is when the graph is made.
                for numbers in [range(1), *_chunks(1, len(batches), _THREADS)]:
                    before = self.deadline and self.deadline.left()
                    list(pool.map(compute, numbers))
                    bar.advance(len(numbers))
                    if self.deadline and before and numbers.start:
                        seconds = (before - self.deadline.left()) / len(numbers)
                        self._assert_in_time(seconds, len(batches) - numbers.stop)
            features.flush()

    def _assert_in_time(self, seconds_a_batch: float, batches: int) -> None:
        left = self.deadline.left() if self.deadline else math.inf
        if left < seconds_a_batch * batches:
            raise SettingError(
                f"Features cannot be computed in time. Received: {seconds_a_batch * batches:.0f} "
                f"s to come for {self.trunk.name}, of a time limit that leaves {left:.0f} s. Allow "
                "more, or train a recipe that learns from the images, as --recipe cpu."
            )


def _chunks(start: int, stop: int, size: int) -> list[range]:
    return [range(first, min(first + size, stop)) for first in range(start, stop, size)]


def _assert_representable(values: Features, dtype: np.dtype[np.floating]) -> None:
    largest = float(np.abs(values).max())
    if not largest <= float(np.finfo(dtype).max):
        raise SettingError(
            f"Features cannot be saved. Received: values up to {largest:.3g}, where half precision "
            "ends at 65504. Let another layer be the first that learns, or augment the images."
        )
