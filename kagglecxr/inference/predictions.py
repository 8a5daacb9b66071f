"""Predictions of images, and how they are saved and loaded; no model is needed for that."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import atomic_write


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
        """Writes an .npz file, atomically."""
        with atomic_write(path) as temporary:
            np.savez_compressed(
                temporary, ids=self.ids, probabilities=self.probabilities, truth=self.truth
            )

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Reads a file that `save` wrote.

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
        """Returns the probabilities of these ids, in this order.

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


def unlabelled(ids: Sequence[str], probabilities: npt.NDArray[np.float32]) -> Predictions:
    """Predictions of images whose labels are not known."""
    return Predictions(np.array(ids), probabilities, np.full(len(ids), -1, np.intp))


def average(parts: Sequence[npt.NDArray[np.floating]]) -> npt.NDArray[np.float32]:
    """The mean of equally long predictions (N, targets), summed in double precision."""
    return np.asarray(np.stack(parts).mean(axis=0, dtype=np.float64), np.float32)
