"""An exported file that was loaded: what it takes and what it returns, whatever its format."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PredictFunction = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""From raw pixels (batch, H, W, 1 or 3) to probabilities (batch, classes)."""


@dataclass(frozen=True)
class ExportedModel:
    """An exported file that was loaded.

    Attributes:
        predict: from raw pixels (batch, H, W, 1 or 3) to probabilities (batch, classes).
        classes: the names of its outputs.
        size: height and width of the images it takes; None for any.
    """

    predict: PredictFunction
    classes: list[str]
    size: tuple[int, int] | None


def known_size(height: object, width: object) -> tuple[int, int] | None:
    """Returns the size of the images taken; a side that is not known is None, -1 or a name."""
    sides = [side for side in (height, width) if isinstance(side, int) and side > 0]
    return (sides[0], sides[1]) if len(sides) == 2 else None
