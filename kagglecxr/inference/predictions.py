"""Predictions of images, and how they are saved and loaded; no model is needed for that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import atomic_write, open_arrays
from kagglecxr.core.run_record import unreadable_predictions

PLAIN_VIEW = "identity"
"""The view that is the image as it is."""
SMALLEST = 1e-6
"""What a probability counts as at least, where its logarithm is taken."""
_VIEW = "view "
"""Before a view's name, in the names of the arrays of a file."""


@dataclass(frozen=True)
class Predictions:
    """Probabilities of some images.

    Attributes:
        ids: (N,) text.
        probabilities: (N, targets) float32, each row summing to 1 but for findings.
        truth: (N,) target ids, -1 where the label is not known; of findings (N, targets), 1, 0 or,
            where it is not known, NaN.
        by_view: probabilities (N, targets) by the name of the view, where those of single views are
            known; the others are their mean.
    """

    ids: npt.NDArray[np.str_]
    probabilities: npt.NDArray[np.float32]
    truth: npt.NDArray[Any]
    by_view: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Writes an .npz file, atomically."""
        with atomic_write(path) as temporary:
            np.savez_compressed(
                temporary,
                ids=self.ids,
                probabilities=self.probabilities,
                truth=self.truth,
                **named_views(self.by_view),
            )

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Reads a file that `save` wrote.

        Raises:
            DataError: the file is damaged.
        """
        with open_arrays(path, unreadable_predictions(path)) as arrays:
            by_view = read_views(arrays)
            return cls(arrays["ids"], arrays["probabilities"], arrays["truth"], by_view)

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

    def without_views(self) -> "Predictions | None":
        """Returns those from the image as it is; None where no others are kept beside them."""
        is_known = PLAIN_VIEW in self.by_view and len(self.by_view) > 1
        return self.from_view(PLAIN_VIEW) if is_known else None

    def from_view(self, view: str) -> "Predictions":
        """Returns those of a single view that is in `by_view`."""
        return self.of_views([view])

    def of_views(self, views: Sequence[str]) -> "Predictions":
        """Returns the mean over some of the views in `by_view`."""
        mean = average([self.by_view[view] for view in views])
        return Predictions(self.ids, mean, self.truth)


def unlabelled(ids: Sequence[str], probabilities: npt.NDArray[np.float32]) -> Predictions:
    """Predictions of images whose labels are not known."""
    return Predictions(np.array(ids), probabilities, np.full(len(ids), -1, np.intp))


def named_views(by_view: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Returns the arrays of views by the names that they have in a file."""
    return {f"{_VIEW}{name}": array for name, array in by_view.items()}


def read_views(arrays: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Reads the arrays of views from an .npz file."""
    names = [name for name in arrays if name.startswith(_VIEW)]
    return {name.removeprefix(_VIEW): arrays[name] for name in names}


def concatenate(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several parts of the images, as those of one."""
    views = [view for view in parts[0].by_view if all(view in part.by_view for part in parts)]
    return Predictions(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.truth for part in parts]),
        {view: np.concatenate([part.by_view[view] for part in parts]) for view in views},
    )


def average(parts: Sequence[npt.NDArray[np.floating]]) -> npt.NDArray[np.float32]:
    """The mean of equally long predictions (N, targets), summed in double precision."""
    return np.asarray(np.stack(parts).mean(axis=0, dtype=np.float64), np.float32)


def log_probabilities(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The logarithms of probabilities; those below a millionth count as one."""
    clipped = np.clip(probabilities, SMALLEST, 1.0).astype(np.float64)
    logs: npt.NDArray[np.float64] = np.log(clipped)
    return logs


def log_odds(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The logarithms of odds; probabilities nearer to 0 or 1 count as a millionth from it."""
    return np.asarray(logit(clip_probabilities(probabilities)), np.float64)


def clip_probabilities(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Probabilities of which none is nearer to 0 or 1 than a millionth."""
    return np.clip(np.asarray(probabilities, np.float64), SMALLEST, 1.0 - SMALLEST)
