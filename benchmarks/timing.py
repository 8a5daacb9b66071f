"""Times two ways of doing the same work in turn, since one machine is never equally fast twice."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pair:
    """Median seconds of two ways, and the median of the ratios of each turn.

    Attributes:
        ours: seconds of the package's way.
        other: seconds of what it is measured against.
        ratio: other / ours; above 1 where the package is faster.
    """

    ours: float
    other: float
    ratio: float


def seconds(work: Callable[[], object]) -> float:
    """The wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turn(ours: Callable[[], object], other: Callable[[], object], turns: int) -> Pair:
    """Runs both once unmeasured, then `turns` times each, one after the other."""
    ours()
    other()
    times = np.array([(seconds(ours), seconds(other)) for _ in range(turns)])
    mine, theirs = np.median(times, axis=0)
    return Pair(float(mine), float(theirs), float(np.median(times[:, 1] / times[:, 0])))
