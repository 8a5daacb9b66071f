"""Paired tests of independent images: McNemar's of the errors, DeLong's of the AUC."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, norm, rankdata

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.intervals import Groups, Interval, Scores
from kagglecxr.core.metrics import Decisions, Labels, Probabilities
from kagglecxr.core.paired_tests import SIGNIFICANCE, show_p_value


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
            f"{self.only_b}, {show_p_value(self.p_value)}."
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
            f"difference {self.gain}, {show_p_value(self.p_value)}."
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


def _refuse_groups(test: str, groups: Groups) -> None:
    count = len(np.unique(groups))
    if count < len(groups):
        raise SettingError(
            f"{test} takes images as independent, and those of one group are not. Received: "
            f"{len(groups)} images in {count} groups. Use compare_paired, which exchanges whole "
            "groups."
        )
