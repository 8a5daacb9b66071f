"""Bootstrap intervals of scores, by resampling whole groups of images."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from kagglecxr.core.metrics import Metric, Probabilities, Truth

Groups = npt.NDArray[np.object_]
Rows = npt.NDArray[np.intp]
Scores = npt.NDArray[np.float64]

_BOUNDS = np.array([0.025, 0.975])
FEWEST_RESAMPLES = 200
MANY_IMAGES = 20_000
"""From which on a resample takes long enough, and an interval is narrow enough, for fewer."""


@dataclass(frozen=True)
class Interval:
    """A score and its 95 % interval."""

    score: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.score:.4f} (95 % interval {self.low:.4f} to {self.high:.4f})"


def affordable_resamples(wanted: int, images: int) -> int:
    """Returns how many resamples to draw: of very many images as many fewer as there are more.

    >>> affordable_resamples(1000, 500), affordable_resamples(1000, 40_000)
    (1000, 500)
    """
    fewer = wanted * MANY_IMAGES // max(images, MANY_IMAGES)
    return max(fewer, min(wanted, FEWEST_RESAMPLES))


class GroupedRows:
    """The rows (N,) of each group, found once for many resamples.

    Attributes:
        group_of: (N,) the group of each row, numbered in sorted order.
        count: how many groups there are.
    """

    def __init__(self, groups: Groups) -> None:
        names, self.group_of, self._sizes = np.unique(
            groups, return_inverse=True, return_counts=True
        )
        self.count = len(names)
        self._rows = np.argsort(self.group_of, kind="stable")
        self._starts = np.cumsum(self._sizes) - self._sizes

    def resample(self, random: np.random.Generator) -> Rows:
        """Returns the rows of as many groups as there are, drawn with replacement."""
        chosen = random.integers(self.count, size=self.count)
        sizes = self._sizes[chosen]
        shifts = self._starts[chosen] - (np.cumsum(sizes) - sizes)
        rows: Rows = self._rows[np.arange(sizes.sum()) + np.repeat(shifts, sizes)]
        return rows

    def without(self, group: int) -> Rows:
        """Returns the rows of all groups but one."""
        return np.flatnonzero(self.group_of != group)


def bootstrap_interval(
    metric: Metric,
    truth: Truth,
    probabilities: Probabilities,
    groups: Groups,
    random: np.random.Generator,
    resamples: int = 1000,
    method: Literal["percentile", "bca"] = "percentile",
) -> Interval:
    """Computes the bootstrap interval of a score by resampling whole groups.

    Images of one patient are similar, so resampling single images would give too narrow an interval
    (cluster bootstrap: Davison and Hinkley 1997, section 3.8). BCa corrects the percentiles for
    bias and skewness (Efron 1987; Efron and Tibshirani 1993, chapter 14); where no correction can
    be computed, they are left as they are.

    `groups` are (N,), `probabilities` (N, targets); `resamples` are fewer above 20,000 images.
    """
    members = GroupedRows(groups)

    def score(rows: Rows) -> float:
        return metric(truth[rows], probabilities[rows])

    whole = metric(truth, probabilities)
    count = affordable_resamples(resamples, len(truth))
    drawn = np.array([score(members.resample(random)) for _ in range(count)])
    if method == "percentile":
        return percentile_interval(whole, drawn)
    left_out = np.array([score(members.without(group)) for group in range(members.count)])
    return percentile_interval(whole, drawn, _bca_bounds(whole, drawn, left_out))


def percentile_interval(whole: float, drawn: Scores, bounds: Scores = _BOUNDS) -> Interval:
    """Returns a score with two quantiles of its resamples (resamples,), of which some may be NaN.

    A resample without one of the classes has no AUC, for example.
    """
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return Interval(whole, np.nan, np.nan)
    low, high = np.quantile(known, bounds)
    return Interval(whole, float(low), float(high))


def _bca_bounds(whole: float, drawn: Scores, left_out: Scores) -> Scores:
    """The shares of the resamples below the bounds: Efron and Tibshirani 1993, equation 14.10."""
    known, left_out = drawn[~np.isnan(drawn)], left_out[~np.isnan(left_out)]
    if not (len(known) and len(left_out)):
        return _BOUNDS
    below = float(np.mean(known < whole) + np.mean(known == whole) / 2)
    if not 0.0 < below < 1.0:
        return _BOUNDS
    bias = ndtri(below)
    deviations = left_out.mean() - left_out
    spread = float((deviations**2).sum())
    acceleration = (deviations**3).sum() / (6 * spread**1.5) if spread else 0.0
    shifted = bias + ndtri(_BOUNDS)
    bounds: Scores = ndtr(bias + shifted / (1.0 - acceleration * shifted))
    # A skewness so extreme that the corrected bounds change places cannot be corrected.
    return bounds if bounds[0] < bounds[1] else _BOUNDS
