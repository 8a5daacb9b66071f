"""What a run predicts of images composed of two, by the classes of lungs and background."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kagglecxr.shortcuts.background_swap import Swaps
from kagglecxr.shortcuts.problems import Floats, Numbers, Values


@dataclass(frozen=True)
class ComposedImages:
    """The composed images of a problem.

    Tables are (classes, classes): a row for the class of the lungs, a column for that of the
    background, NaN where there are none. They are of images that count by weights (swaps,).

    Attributes:
        swaps: whose lungs and whose background each is.
        classes: (N,) the true classes of all images.
        probabilities: (swaps, classes).
    """

    swaps: Swaps
    classes: Numbers
    probabilities: Floats

    @cached_property
    def lungs(self) -> Numbers:
        """(swaps,) the class of the lungs."""
        return np.asarray(self.classes[self.swaps.lungs])

    @cached_property
    def background(self) -> Numbers:
        """(swaps,) that of the background."""
        return np.asarray(self.classes[self.swaps.background])

    def right(self, weights: Values) -> Values:
        """Returns the shares of right answers."""
        return self._means(self._is_right, weights)

    def certainty(self, weights: Values) -> Values:
        """Returns the mean probabilities of the lungs' class."""
        return self._means(self._certainty, weights)

    @cached_property
    def _is_right(self) -> Values:
        return np.asarray(self.probabilities.argmax(axis=1) == self.lungs, np.float64)

    @cached_property
    def _certainty(self) -> Values:
        rows = np.arange(len(self.lungs))
        return np.asarray(self.probabilities[rows, self.lungs], np.float64)

    @cached_property
    def _cells(self) -> Numbers:
        return np.asarray(self.lungs * self.probabilities.shape[1] + self.background)

    def _means(self, values: Values, weights: Values) -> Values:
        count = self.probabilities.shape[1]
        total = np.bincount(self._cells, weights * values, count**2)
        weight = np.bincount(self._cells, weights, count**2)
        shares = np.divide(total, weight, out=np.full(count**2, np.nan), where=weight > 0)
        return np.asarray(shares.reshape(count, count))


class RankedImages(ComposedImages):
    """Those of a finding, of which the order by probability counts, whatever the threshold."""

    def right(self, weights: Values) -> Values:
        """Returns (2, 2) AUCs: the shares of pairs of lungs, with and without it, ordered rightly.

        On the diagonal of pairs in which both have a background of their own label, beside it of
        pairs in which both have one of the other label.
        """
        same, other = (self._auc(part, weights) for part in self._parts)
        return np.array([[same, other], [other, same]])

    @cached_property
    def _parts(self) -> tuple[tuple[Numbers, Numbers], tuple[Numbers, Numbers]]:
        """Of either kind of background the rows (part,) and their ranks, equal ones the same."""
        scored = self.probabilities[:, 1]
        of_own = self.lungs == self.background
        rows = (np.flatnonzero(of_own), np.flatnonzero(~of_own))
        first, second = (np.unique(scored[part], return_inverse=True)[1] for part in rows)
        return (rows[0], first), (rows[1], second)

    def _auc(self, part: tuple[Numbers, Numbers], weights: Values) -> float:
        """The area under the ROC curve, in which ties count by half (Hanley and McNeil 1982)."""
        rows, ranks = part
        is_there = self.lungs[rows] == 1
        there, absent = (
            np.bincount(ranks[kind], weights[rows[kind]], len(rows))
            for kind in (is_there, ~is_there)
        )
        pairs = there.sum() * absent.sum()
        lower = np.cumsum(absent) - absent / 2
        return float((there * lower).sum() / pairs) if pairs else float("nan")
