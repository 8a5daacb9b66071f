"""Features of all training images, worked out once and kept in a folder beside the cache's images.

One pass serves every epoch, every fold, and every recipe that differs only in what learns from
them; each view, as the mirrored one, is another pass.
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
from kagglecxr.core.disk import ensure_disk_space
from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import atomic_write, digest
from kagglecxr.core.progress import Reporter
from kagglecxr.data.cache.cache import Cache
from kagglecxr.data.sequences.sequence import OrderedSequence
from kagglecxr.inference.tta import VIEWS

Features = npt.NDArray[np.floating]
_BATCH = 64
_THREADS = 2
"""Batches: what is between a backbone's kernels leaves processors idle, which another one takes."""


@dataclass(frozen=True)
class FeatureCache:
    """The features of some images, (images, values) in each view: all tensors, one after another.

    Pooled features are kept in single precision, maps in half: they are a hundred times larger,
    and what learns from them is not told from what learns from the images (see the tests).

    Attributes:
        cache: the images.
        rows: which of them, in the features' order.
        trunk: gives an image's features.
        name: what it is, beside its weights.
        reporter: told of every batch of images on its way to features.
        until: when all that is trained has to be done; None for no hurry.
    """

    cache: Cache
    rows: npt.NDArray[np.intp]
    trunk: keras.Model
    name: str
    reporter: Reporter
    until: Deadline | None = None

    def of(self, view: str) -> Features:
        """One view's, (images, values); read where they are, else worked out."""
        path = self._path(view)
        if not path.is_file():
            path.parent.mkdir(exist_ok=True)
            # Trainings that run at once wait for the first of them, and for no dead one.
            with FileLock(path.with_suffix(".lock")):
                if not path.is_file():
                    self._write(path, view)
        kept: Features = np.load(path, mmap_mode="r")
        return kept

    def tensors(self, values: Features) -> list[npt.NDArray[np.float32]]:
        """The tensors again that stand one after another in (images, values)."""
        shapes = self._shapes()
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        parts = np.split(values, ends[:-1], axis=1)
        return [
            part.astype(np.float32).reshape(len(values), *shape)
            for part, shape in zip(parts, shapes, strict=True)
        ]

    def _shapes(self) -> list[tuple[int, ...]]:
        return [tensor.shape[1:] for tensor in tree.flatten(self.trunk.output)]

    def _dtype(self) -> type[np.floating]:
        return np.float32 if all(len(shape) == 1 for shape in self._shapes()) else np.float16

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
        shape = (len(self.rows), sum(math.prod(shape) for shape in self._shapes()))
        dtype = np.dtype(self._dtype())
        ensure_disk_space(path.parent, dtype.itemsize * math.prod(shape), path.name)
        batches = OrderedSequence(self.cache.images, self.rows, _BATCH, view=VIEWS[view])
        with (
            atomic_write(path) as beside,
            self.reporter.bar(f"Features of {self.trunk.name}, {view}", len(batches)) as bar,
        ):
            kept = np.lib.format.open_memmap(beside, "w+", dtype, shape)

            def answer(number: int) -> None:
                found = tree.flatten(self.trunk.predict_on_batch(batches[number][0]))
                values = np.concatenate([part.reshape(len(part), -1) for part in found], axis=1)
                _assert_representable(values, dtype)
                kept[number * _BATCH : number * _BATCH + len(values)] = values

            with ThreadPoolExecutor(_THREADS) as pool:
                # The first batch takes long, since it is when the graph is made.
                for numbers in [range(1), *_chunks(1, len(batches), _THREADS)]:
                    before = self.until and self.until.left()
                    list(pool.map(answer, numbers))
                    bar.advance(len(numbers))
                    if self.until and before and numbers.start:
                        seconds = (before - self.until.left()) / len(numbers)
                        self._assert_in_time(seconds, len(batches) - numbers.stop)
            kept.flush()

    def _assert_in_time(self, seconds_a_batch: float, batches: int) -> None:
        left = self.until.left() if self.until else math.inf
        if left < seconds_a_batch * batches:
            raise SettingError(
                f"Features cannot be worked out in time. Received: {seconds_a_batch * batches:.0f} "
                f"s to come for {self.trunk.name}, of a time limit that leaves {left:.0f} s. Allow "
                "more, or train a recipe that learns from the images, as --recipe cpu."
            )


def _chunks(start: int, stop: int, size: int) -> list[range]:
    return [range(first, min(first + size, stop)) for first in range(start, stop, size)]


def _assert_representable(values: Features, dtype: np.dtype[np.floating]) -> None:
    largest = float(np.abs(values).max())
    if not largest <= float(np.finfo(dtype).max):
        raise SettingError(
            f"Features cannot be kept. Received: values up to {largest:.3g}, where half precision "
            "ends at 65504. Let another layer be the first that learns, or augment the images."
        )
