"""Is one model better than another on the same images, or is it luck? Paired tests."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kagglecxr.core.errors import DataError
from kagglecxr.core.intervals import (
    GroupedRows,
    Groups,
    Interval,
    Rows,
    affordable_resamples,
    percentile_interval,
)
from kagglecxr.core.metrics import Metric, Probabilities, Truth

SIGNIFICANCE = 0.05
_ROUNDING = 1e-12
"""Gains that differ by less are the same number, summed in another order."""


@dataclass(frozen=True)
class PairedComparison:
    """The scores of two models, A and B, on the same images.

    Attributes:
        gain: by how much A is better than B, with its bootstrap bounds.
        p_value: of the permutation test that A and B are equally good.
    """

    metric: Metric
    a: float
    b: float
    gain: Interval
    p_value: float
    images: int
    groups: int

    @property
    def verdict(self) -> Literal["better", "worse", "luck"]:
        """What A is compared with B; luck unless p value and interval agree that it is not."""
        if self.p_value < SIGNIFICANCE:
            if min(self.gain.score, self.gain.low) > 0:
                return "better"
            if max(self.gain.score, self.gain.high) < 0:
                return "worse"
        return "luck"

    @property
    def luck(self) -> str:
        """Whether the gain or loss is more than luck, as text."""
        return "it could be luck" if self.verdict == "luck" else "more than luck"

    def sentence(self, name_a: str, name_b: str) -> str:
        """Returns the verdict and its figures in one sentence."""
        by, low, high = self.gain.score, self.gain.low, self.gain.high
        if by < 0:
            name_a, name_b = name_b, name_a
            by, low, high = -by, -high, -low
        metric = self.metric.title
        images = f"{self.images} images"
        if self.groups < self.images:
            images += f" in {self.groups} groups"
        # Quantiles have errors in their last digits, which decide how a tie is rounded.
        low, high = round(low, 9), round(high, 9)
        figures = f"{low:z.4f} to {high:z.4f}, {show_p_value(self.p_value)}, {images}"
        if by == 0:
            return (
                f"{name_a} and {name_b} have the same {metric}, {self.a:.4f} "
                f"(95 % interval of the difference {figures})."
            )
        by_figures = f"{by:.4f} {metric} (95 % interval {figures})"
        lead = "is ahead of" if self.verdict == "luck" else "is better than"
        return f"{name_a} {lead} {name_b} by {by_figures}: {self.luck}."


def compare_paired(
    metric: Metric,
    truth: Truth,
    a: Probabilities,
    b: Probabilities,
    groups: Groups,
    random: np.random.Generator,
    resamples: int = 2000,
) -> PairedComparison:
    """Compares the predictions of two models for the same images.

    The interval is that of a paired bootstrap of whole groups. The p value is that of a two-sided
    permutation test, which exchanges the predictions of A and B for random groups, since under
    the null hypothesis it does not matter whose they are (Good 2005, section 3.7; the count of
    Phipson and Smyth 2010, equation 2, so that it is never 0).

    `groups` are (N,), `a` and `b` (N, targets); `resamples` is the number of resamples and that of
    permutations, fewer above 20,000 images.

    Raises:
        DataError: the images have no such score.
    """

    def gain(true: Truth, one: Probabilities, other: Probabilities) -> float:
        return metric.gain(metric(true, one), metric(true, other))

    observed, members = gain(truth, a, b), GroupedRows(groups)
    if np.isnan(observed):
        targets = truth.shape[1] if truth.ndim > 1 else len(np.unique(truth))
        raise DataError(
            f"The {metric.name} of these images is not a number. Received: {len(truth)} images of "
            f"{targets} targets. Compare on images of all targets."
        )
    resamples = affordable_resamples(resamples, len(truth))
    drawn, exchanged = np.zeros(resamples), np.zeros(resamples)
    differing = _differing(metric, truth, a, b)
    group_of = members.group_of[differing]
    for i in range(resamples if len(differing) else 0):
        rows = members.resample(random)
        drawn[i] = gain(truth[rows], a[rows], b[rows])
        rows = differing[(random.random(members.count) < 0.5)[group_of]]
        one, other = a.copy(), b.copy()
        one[rows], other[rows] = b[rows], a[rows]
        exchanged[i] = gain(truth, one, other)
    as_large = int((np.abs(exchanged) >= abs(observed) - _ROUNDING).sum())
    return PairedComparison(
        metric=metric,
        a=metric(truth, a),
        b=metric(truth, b),
        gain=percentile_interval(observed, drawn),
        p_value=(1 + as_large) / (1 + resamples),
        images=len(truth),
        groups=members.count,
    )


def _differing(metric: Metric, truth: Truth, a: Probabilities, b: Probabilities) -> Rows:
    """The rows where an exchange can change a score; of findings, that of any cell may."""
    if metric.needs_probabilities or truth.ndim > 1:
        return np.flatnonzero((a != b).any(axis=1))
    return np.flatnonzero(a.argmax(axis=1) != b.argmax(axis=1))


def show_p_value(p_value: float) -> str:
    """Returns a p value with three digits, as text."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
