"""Is one model better than another on the same images, or is it luck? Paired tests."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import binomtest, norm, rankdata

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.intervals import (
    GroupedRows,
    Groups,
    Interval,
    Rows,
    Scores,
    percentile_interval,
)
from kagglecxr.core.metrics import Decisions, Labels, Metric, Probabilities

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
        figures = f"{low:z.4f} to {high:z.4f}, {_shown(self.p_value)}, {images}"
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
    truth: Labels,
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

    `truth`, target ids, and `groups` are (N,), `a` and `b` (N, targets); `resamples` is the number
    of resamples and that of permutations.

    Raises:
        DataError: the images have no such score.
    """

    def gain(true: Labels, one: Probabilities, other: Probabilities) -> float:
        return metric.gain(metric(true, one), metric(true, other))

    observed, members = gain(truth, a, b), GroupedRows(groups)
    if np.isnan(observed):
        raise DataError(
            f"The {metric.name} of these images is not a number. Received: {len(truth)} images of "
            f"{len(np.unique(truth))} targets. Compare on images of all targets."
        )
    drawn, exchanged = np.zeros(resamples), np.zeros(resamples)
    differing = _differing(metric, a, b)
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


def _differing(metric: Metric, a: Probabilities, b: Probabilities) -> Rows:
    """The rows where an exchange can change a score."""
    if metric.needs_probabilities:
        return np.flatnonzero((a != b).any(axis=1))
    return np.flatnonzero(a.argmax(axis=1) != b.argmax(axis=1))


@dataclass(frozen=True)
class McNemarTest:
    """McNemar's exact test: do two models err on as many images?

    Attributes:
        only_a: how many images A alone classifies correctly.
        only_b: how many B alone does.
    """

    only_a: int
    only_b: int
    p_value: float

    def sentence(self, name_a: str, name_b: str) -> str:
        """Returns the figures in one sentence."""
        return (
            f"McNemar's test: {name_a} alone is right on {self.only_a} images, {name_b} alone on "
            f"{self.only_b}, {_shown(self.p_value)}."
        )


def mcnemar(truth: Labels, a: Probabilities, b: Probabilities, groups: Groups) -> McNemarTest:
    """Tests whether two models classify equally many images correctly (McNemar 1947), two-sided.

    `truth`, target ids, and `groups` are (N,), `a` and `b` (N, targets).

    Raises:
        SettingError: a group holds several images.
    """
    _refuse_groups("McNemar's test", groups)
    right_a, right_b = a.argmax(axis=1) == truth, b.argmax(axis=1) == truth
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    discordant = only_a + only_b
    p_value = float(binomtest(only_a, discordant).pvalue) if discordant else 1.0
    return McNemarTest(only_a, only_b, p_value)


@dataclass(frozen=True)
class DeLongTest:
    """DeLong's test: do two models have the same area under the ROC curve?

    Attributes:
        a: the area of A.
        b: the area of B.
        gain: that of A less that of B, with its bounds.
        p_value: NaN where the standard error is 0 and the areas differ.
    """

    a: float
    b: float
    gain: Interval
    standard_error: float
    p_value: float

    def sentence(self, name_a: str, name_b: str) -> str:
        """Returns the figures in one sentence."""
        return (
            f"DeLong's test: the AUC is {self.a:.4f} for {name_a} and {self.b:.4f} for {name_b}, "
            f"difference {self.gain}, {_shown(self.p_value)}."
        )


def delong(is_target: Decisions, a: Probabilities, b: Probabilities, groups: Groups) -> DeLongTest:
    """Tests whether two models have the same AUC (DeLong et al. 1988), two-sided.

    Computed from mid-ranks (Sun and Xu 2014, equations 9 to 11). All arrays are (N,); `a` and `b`
    are the probabilities of the target.

    Raises:
        SettingError: a group holds several images.
        DataError: fewer than two images of the target, or fewer than two others.
    """
    _refuse_groups("DeLong's test", groups)
    targets, others = int(is_target.sum()), int((~is_target).sum())
    if min(targets, others) < 2:
        raise DataError(
            f"DeLong's test needs two images of the target and two others. Received: {targets} "
            f"and {others}. Compare on more images."
        )
    above, below = zip(*(_placements(is_target, scores) for scores in (a, b)), strict=True)
    area_a, area_b = (float(shares.mean()) for shares in above)
    variance = np.var(above[0] - above[1], ddof=1) / targets
    variance += np.var(below[0] - below[1], ddof=1) / others
    error, difference = float(np.sqrt(variance)), area_a - area_b
    margin = float(norm.ppf(1 - SIGNIFICANCE / 2)) * error
    if error > 0:
        p_value = float(2 * norm.sf(abs(difference) / error))
    else:
        p_value = 1.0 if difference == 0 else float("nan")
    interval = Interval(difference, difference - margin, difference + margin)
    return DeLongTest(area_a, area_b, interval, error, p_value)


def _placements(is_target: Decisions, scores: Probabilities) -> tuple[Scores, Scores]:
    """Of each target image the share of others below it, of each other that of targets above it.

    Equal scores count half.
    """
    ranks, targets, others = rankdata(scores), scores[is_target], scores[~is_target]
    above: Scores = (ranks[is_target] - rankdata(targets)) / len(others)
    below: Scores = 1.0 - (ranks[~is_target] - rankdata(others)) / len(targets)
    return above, below


def _shown(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _refuse_groups(test: str, groups: Groups) -> None:
    count = len(np.unique(groups))
    if count < len(groups):
        raise SettingError(
            f"{test} takes images as independent, and those of one group are not. Received: "
            f"{len(groups)} images in {count} groups. Use compare_paired, which exchanges whole "
            "groups."
        )
