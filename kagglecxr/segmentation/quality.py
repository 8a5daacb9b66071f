"""Can a predicted mask be trusted? Measures that need no true mask, and which are suspicious."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from kagglecxr.core.mask_metrics import MASK_METRICS, count_overlap
from kagglecxr.segmentation.cleaning import count_parts

Map = npt.NDArray[np.float32]
"""(H, W) probabilities."""

RATE = 0.01
"""The share of good masks that each bound of a measure calls suspicious."""
_LOW = ("area", "symmetry", "certainty", "agreement")
_HIGH = ("area", "parts")
_WORDS = {
    ("area", "low"): "small",
    ("area", "high"): "large",
    ("parts", "high"): "in many parts",
    ("symmetry", "low"): "on one side",
    ("certainty", "low"): "uncertain",
    ("agreement", "low"): "views disagree",
}


@dataclass(frozen=True)
class MaskQuality:
    """Measures of a predicted mask.

    Attributes:
        area: the mask's share of the image.
        parts: its number of parts, before it is cleaned.
        symmetry: the smaller half's share of the larger one's area, left and right of the mask's
            middle column; 0 of an empty mask.
        certainty: the mean over the mask of twice the probability's distance from a half.
        agreement: Dice of the masks of the image and of its mirror image.
    """

    area: float
    parts: int
    symmetry: float
    certainty: float
    agreement: float


Bounds = Mapping[str, tuple[float, float]]
"""The lowest and highest value of each measure that is not suspicious."""


def measure_quality(plain: Map, flipped: Map) -> MaskQuality:
    """Measures the mask that is the mean of two predictions (H, W).

    Args:
        plain: the probabilities predicted from the image.
        flipped: those predicted from its mirror image, turned back.
    """
    mean = (plain + flipped) / 2
    mask = mean >= 0.5
    if not mask.any():
        return MaskQuality(0.0, 0, 0.0, 0.0, _dice(plain, flipped))
    columns = mask.sum(axis=0)
    seen = np.flatnonzero(columns)
    middle = (int(seen[0]) + int(seen[-1]) + 1) // 2
    halves = sorted((int(columns[:middle].sum()), int(columns[middle:].sum())))
    return MaskQuality(
        area=float(mask.mean()),
        parts=count_parts(mask),
        symmetry=halves[0] / halves[1],
        certainty=float(np.abs(2 * mean[mask] - 1).mean()),
        agreement=_dice(plain, flipped),
    )


def quality_bounds(measured: Sequence[MaskQuality]) -> Bounds:
    """Returns bounds that a hundredth of out-of-fold masks are beyond, for each measure and side.

    Where a measure has only one bad side, the other is unbounded.
    """
    values = {name: [getattr(one, name) for one in measured] for name in _names()}
    return {
        name: (
            float(np.quantile(numbers, RATE)) if name in _LOW else -np.inf,
            float(np.quantile(numbers, 1 - RATE)) if name in _HIGH else np.inf,
        )
        for name, numbers in values.items()
    }


def suspicions(quality: MaskQuality, bounds: Bounds) -> list[str]:
    """Returns in words what is suspicious of a mask; nothing of a good one."""
    found = []
    for name, value in asdict(quality).items():
        low, high = bounds[name]
        if value < low:
            found.append(_WORDS[name, "low"])
        elif value > high:
            found.append(_WORDS[name, "high"])
    return found


def _names() -> list[str]:
    return list(MaskQuality.__dataclass_fields__)


def _dice(plain: Map, flipped: Map) -> float:
    counts = count_overlap((plain >= 0.5)[None], (flipped >= 0.5)[None])
    return float(MASK_METRICS["dice"](counts)[0])
