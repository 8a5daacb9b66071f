"""Judges sets of views by out-of-fold predictions: what each gains, and which is to be taken."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import SettingError
from kagglecxr.core.intervals import Groups
from kagglecxr.core.metrics import Metric, Probabilities, Truth
from kagglecxr.core.paired_tests import PairedComparison, compare_paired
from kagglecxr.inference.tta import VIEW_SETS

NO_VIEWS = "none"
"""The set of the image as it is, which the others are compared with."""
COLUMNS = ["views", "number", "score", "gain", "low", "high", "p_value", "chosen"]


@dataclass(frozen=True)
class JudgedViews:
    """A set of views on out-of-fold predictions.

    Attributes:
        score: of the mean over its views.
        comparison: with the image as it is; None for that itself.
        chosen: whether it is the set to predict with.
    """

    name: str
    score: float
    comparison: PairedComparison | None
    chosen: bool


@dataclass(frozen=True)
class ViewsJudgement:
    """What sets of views gain on out-of-fold predictions.

    Attributes:
        sets: one of which is chosen.
        of_fold: the set that all other folds speak for, by each fold: what its images would be
            predicted from if they were new.
    """

    sets: list[JudgedViews]
    of_fold: Mapping[int, str]

    @property
    def chosen(self) -> str:
        """The set to predict with."""
        return next(views.name for views in self.sets if views.chosen)

    @property
    def table(self) -> pd.DataFrame:
        """A row per set: its views, score, gain over "none" with interval and p value, choice."""
        return pd.DataFrame([_row(views) for views in self.sets], columns=COLUMNS)


def judge_views(
    predictions_by_set: Mapping[str, Probabilities],
    truth: Truth,
    groups: Groups,
    folds: npt.NDArray[np.intp],
    metric: Metric,
    random: np.random.Generator,
) -> ViewsJudgement:
    """Scores sets of views and chooses the best, if choosing it is better than no views.

    The best of several scores is too good, as it was chosen for it. So the choice is judged by
    nested validation: for each fold the set is chosen that is best on the other folds, and if the
    predictions thus put together score no better than without views, none is chosen.

    Args:
        predictions_by_set: (N, targets) out-of-fold probabilities, simpler sets first; of equally
            good sets the first is chosen.
        truth: of the images.
        groups: (N,) of the images; they are resampled together.
        folds: (N,) int, the fold of each image.
        metric: what they are compared by.
        random: for the bootstrap.

    Raises:
        SettingError: there is no set "none" to compare with.
    """
    if NO_VIEWS not in predictions_by_set:
        raise SettingError(
            f"Views are compared with the image as it is. Received: {sorted(predictions_by_set)}. "
            f"Add the set {NO_VIEWS!r}."
        )

    def best(rows: npt.NDArray[np.bool_]) -> str:
        names = iter(predictions_by_set)
        found = next(names)
        for name in names:
            one, other = (metric(truth[rows], predictions_by_set[n][rows]) for n in (name, found))
            found = name if metric.better(one, other) else found
        return found

    plain = predictions_by_set[NO_VIEWS]
    of_fold = {int(fold): best(folds != fold) for fold in np.unique(folds)}
    nested = plain.copy()
    for fold, name in of_fold.items():
        nested[folds == fold] = predictions_by_set[name][folds == fold]
    chosen = best(np.ones(len(truth), np.bool_))
    if not metric.better(metric(truth, nested), metric(truth, plain)):
        chosen, of_fold = NO_VIEWS, dict.fromkeys(of_fold, NO_VIEWS)
    judged = [
        JudgedViews(
            name,
            metric(truth, probabilities),
            None
            if name == NO_VIEWS
            else compare_paired(metric, truth, probabilities, plain, groups, random),
            name == chosen,
        )
        for name, probabilities in predictions_by_set.items()
    ]
    return ViewsJudgement(judged, of_fold)


def _row(views: JudgedViews) -> dict[str, object]:
    row = {"views": views.name, "number": len(VIEW_SETS[views.name]), "score": views.score}
    if (compared := views.comparison) is not None:
        gain = compared.gain
        row |= {"gain": gain.score, "low": gain.low, "high": gain.high}
        row["p_value"] = compared.p_value
    return {**row, "chosen": views.chosen}
