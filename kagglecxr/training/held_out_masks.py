"""Predicted masks of held-out images, with the true ones, and how they are saved."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.files import atomic_write, open_arrays
from kagglecxr.core.mask_metrics import MASK_METRICS, count_overlap
from kagglecxr.core.run_record import unreadable_predictions
from kagglecxr.inference.predictions import PLAIN_VIEW, named_views, read_views

INSIDE = 128
"""From this 255th on a pixel is in the mask."""
SCORE = "iou"
_CHUNK = 256

Maps = npt.NDArray[np.uint8]
"""(N, H, W): probabilities in 255ths, an eighth of what float64 needs."""


@dataclass(frozen=True)
class HeldOutMasks:
    """Masks of held-out images.

    Attributes:
        ids: (N,) text.
        truth: (N, H, W), 255 in the lungs.
        by_view: (N, H, W) probabilities in 255ths by the name of the view.
    """

    ids: npt.NDArray[np.str_]
    truth: Maps
    by_view: Mapping[str, Maps]

    @functools.cached_property
    def probabilities(self) -> Maps:
        """(N, H, W), the mean of the views in 255ths."""
        total = np.zeros(self.truth.shape, np.uint16)
        for maps in self.by_view.values():
            total += maps
        return np.rint(total / len(self.by_view)).astype(np.uint8)

    def save(self, path: Path) -> None:
        """Writes an .npz file, atomically."""
        with atomic_write(path) as temporary:
            np.savez_compressed(
                temporary,
                ids=self.ids,
                truth=np.packbits(self.truth > 0, axis=-1),
                width=self.truth.shape[-1],
                **named_views(self.by_view),
            )

    @classmethod
    def load(cls, path: Path) -> "HeldOutMasks":
        """Reads a file that `save` wrote.

        Raises:
            DataError: the file is damaged.
        """
        with open_arrays(path, unreadable_predictions(path)) as arrays:
            inside = np.unpackbits(arrays["truth"], axis=-1, count=int(arrays["width"]))
            return cls(arrays["ids"], inside * np.uint8(255), read_views(arrays))

    def image_scores(self) -> dict[str, npt.NDArray[np.float64]]:
        """Returns each metric's (N,) scores by its name."""
        return score_masks(self.probabilities, self.truth)

    def scores(self) -> dict[str, float]:
        """Returns the means over the images, and what views gain on the image as it is."""
        means = {name: float(scores.mean()) for name, scores in self.image_scores().items()}
        if PLAIN_VIEW not in self.by_view or len(self.by_view) < 2:
            return means
        plain = score_masks(self.by_view[PLAIN_VIEW], self.truth)[SCORE]
        return means | {f"{SCORE}_gain_of_views": means[SCORE] - float(plain.mean())}

    def score(self) -> float:
        """Returns the mean IoU."""
        return float(self.image_scores()[SCORE].mean())


def concatenate_masks(parts: Sequence[HeldOutMasks]) -> HeldOutMasks:
    """The masks of several parts of the images, as those of one."""
    views = [view for view in parts[0].by_view if all(view in part.by_view for part in parts)]
    return HeldOutMasks(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.truth for part in parts]),
        {view: np.concatenate([part.by_view[view] for part in parts]) for view in views},
    )


def score_masks(probabilities: Maps, truth: Maps) -> dict[str, npt.NDArray[np.float64]]:
    """Returns each metric's (N,) scores of probabilities and true masks (N, H, W), by its name."""
    parts: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in MASK_METRICS.names()}
    for start in range(0, len(truth), _CHUNK):
        rows = slice(start, start + _CHUNK)
        counts = count_overlap(probabilities[rows] >= INSIDE, truth[rows] >= INSIDE)
        for name, scores in parts.items():
            scores.append(MASK_METRICS[name](counts))
    return {name: np.concatenate(scores) for name, scores in parts.items()}
