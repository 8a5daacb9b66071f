"""Probabilities of images, how they are made, kept and read again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import written_whole
from kagglecxr.data.sequence import OrderedSequence
from kagglecxr.inference.views import DEFAULT_VIEWS, VIEWS


@dataclass(frozen=True)
class Predictions:
    """Probabilities of some images.

    Attributes:
        ids: (N,) text.
        probabilities: (N, targets) float32, each row summing to 1.
        truth: (N,) target ids, -1 where the label is not known.
    """

    ids: npt.NDArray[np.str_]
    probabilities: npt.NDArray[np.float32]
    truth: npt.NDArray[np.intp]

    def save(self, path: Path) -> None:
        """Writes an .npz, whole or not at all."""
        with written_whole(path) as beside:
            np.savez_compressed(
                beside, ids=self.ids, probabilities=self.probabilities, truth=self.truth
            )

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Reads what `save` wrote.

        Raises:
            DataError: the file is damaged.
        """
        try:
            with np.load(path) as arrays:
                return cls(arrays["ids"], arrays["probabilities"], arrays["truth"])
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise DataError(
                f"A file of predictions cannot be read. Received: {path}. Remove it and run the "
                "step that writes it again."
            ) from error

    def of(self, ids: list[str]) -> npt.NDArray[np.float32]:
        """The probabilities of these ids, in this order.

        Raises:
            DataError: some are not predicted.
        """
        row = {name: i for i, name in enumerate(self.ids.tolist())}
        missing = [name for name in ids if name not in row]
        if missing:
            raise DataError(
                f"Images have no prediction. Received: {len(missing)} of them, {missing[0]} the "
                "first. Run train again: the data have changed."
            )
        return self.probabilities[[row[name] for name in ids]]


def predict(
    model: keras.Model,
    images: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.intp],
    *,
    views: Sequence[str] = DEFAULT_VIEWS,
    batch_size: int = 64,
) -> npt.NDArray[np.float32]:
    """The mean probabilities over the views of some rows of a memory map.

    Args:
        model: answers a batch of raw pixels with probabilities.
        images: (N, H, W) or (N, H, W, C) uint8.
        rows: which of them.
        views: names of views, see `kagglecxr.inference.views`.
        batch_size: images at a time.

    Returns:
        (rows, targets); one sigmoid unit becomes two columns.
    """
    seen = [
        model.predict(OrderedSequence(images, rows, batch_size, view=VIEWS[name]), verbose=0)
        for name in views
    ]
    mean = average(seen)
    return np.concatenate([1 - mean, mean], axis=1) if mean.shape[1] == 1 else mean


def average(parts: Sequence[npt.NDArray[np.floating]]) -> npt.NDArray[np.float32]:
    """The mean of equally long predictions (N, targets), summed in double precision."""
    return np.asarray(np.stack(parts).mean(axis=0, dtype=np.float64), np.float32)
