"""Options of the verb `ensemble`; imports nothing heavy, since `--help` needs them."""

from dataclasses import dataclass
from typing import Literal

from cyclopts import Parameter

AUTO = "auto"
"""To choose by out-of-fold predictions."""


@Parameter(name="*")
@dataclass(frozen=True)
class EnsembleOptions:
    """How runs are combined; "auto" is what out-of-fold predictions, judged nested, speak for.

    Attributes:
        blend: auto, best (the best single run), mean, logit_mean, rank_mean, greedy, weights or
            stacking.
        calibrate: Calibration of the blend's probabilities; with auto, only if it lowers the log
            loss by more than luck.
        thresholds: Thresholds of classes or findings for the competition's metric; with auto, only
            if they gain more than luck.
        views: A set of views of test-time augmentation, or auto to judge all sets; defaults to
            those of each run's recipe.
    """

    blend: str = "auto"
    calibrate: Literal["auto", "none", "temperature", "vector"] = "auto"
    thresholds: Literal["auto", "none", "fitted"] = "auto"
    views: str | None = None
