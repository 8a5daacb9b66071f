"""Which views of test-time augmentation are worth their time, judged on out-of-fold predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import SettingError
from kagglecxr.core.intervals import Groups
from kagglecxr.core.metrics import Labels, Metric, Probabilities
from kagglecxr.core.paired_tests import PairedComparison, compare_paired
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import OOF
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData
from kagglecxr.ensembling.out_of_fold import align_out_of_fold
from kagglecxr.inference.held_out_views import predict_held_out_views
from kagglecxr.inference.members import Member
from kagglecxr.inference.predictions import Predictions, average
from kagglecxr.inference.tta import VIEW_SETS

AUTO = "auto"
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
    truth: Labels,
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
        truth: (N,) target ids.
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


def choose_views(
    members: Sequence[Member],
    prepared: PreparedData,
    workspace: Workspace,
    sets: Sequence[str],
    random: np.random.Generator,
    reporter: Reporter,
) -> ViewsJudgement:
    """Chooses the set of views that the mean of some runs predicts best from, out of fold.

    Args:
        members: the runs.
        prepared: the data that they were trained on.
        workspace: where they were trained.
        sets: names of sets of views, of which "none" is always one.
        random: for the bootstrap.
        reporter: shows the progress.

    Raises:
        UnknownNameError: there is no such set.
        MissingError, DataError: a run has no folds, or those of other images.
    """
    simple_first = sorted({NO_VIEWS, *sets}, key=lambda name: (len(VIEW_SETS[name]), name))
    views = list(dict.fromkeys(view for name in simple_first for view in VIEW_SETS[name]))
    runs = [
        predict_held_out_views(member, prepared, workspace, views, reporter) for member in members
    ]
    return judge_views(
        {
            name: average([run.of_views(VIEW_SETS[name]).probabilities for run in runs])
            for name in simple_first
        },
        prepared.target_ids(),
        np.array(prepared.index.column("group", prepared.index.rows("train")), dtype=object),
        prepared.fold,
        prepared.competition.evaluation_metric(),
        random,
    )


def _row(views: JudgedViews) -> dict[str, object]:
    row = {"views": views.name, "number": len(VIEW_SETS[views.name]), "score": views.score}
    if (compared := views.comparison) is not None:
        gain = compared.gain
        row |= {"gain": gain.score, "low": gain.low, "high": gain.high}
        row["p_value"] = compared.p_value
    return {**row, "chosen": views.chosen}


@dataclass(frozen=True)
class ViewedRuns:
    """Runs with the views that they predict from.

    Attributes:
        views: the set of views; empty for those of each run's recipe.
        members: the runs.
        predictions: the out-of-fold predictions of each, by a file in its folder.
        lines: what the views gain over the image as it is, as text.
    """

    views: str
    members: list[Member]
    predictions: dict[Path, Predictions]
    lines: list[str]


def with_views(
    members: Sequence[Member],
    prepared: PreparedData,
    workspace: Workspace,
    wanted: str | None,
    random: np.random.Generator,
    reporter: Reporter,
) -> ViewedRuns:
    """Gives runs the views of a set, of the one chosen out of fold, or leaves them those they have.

    Args:
        members: the runs.
        prepared: the data that they were trained on.
        workspace: where they were trained.
        wanted: a set of views, "auto" to choose among all, or None for those of their recipes.
        random: for the bootstrap.
        reporter: shows the progress.

    Raises:
        UnknownNameError: there is no such set.
        MissingError, DataError: a run has no folds, or those of other images.
    """
    own = {member.run / OOF: Predictions.load(member.run / OOF) for member in members}
    # What was trained for other images or targets is refused before it predicts again.
    align_out_of_fold(own, prepared)
    if wanted is None:
        return ViewedRuns("", list(members), own, _gain_of_recipes(own, prepared, random))
    sets = VIEW_SETS.names() if wanted == AUTO else [wanted]
    judged = choose_views(members, prepared, workspace, sets, random, reporter)
    name = judged.chosen if wanted == AUTO else wanted
    of_fold = judged.of_fold if wanted == AUTO else dict.fromkeys(judged.of_fold, wanted)
    needed = [view for each in {name, *of_fold.values()} for view in VIEW_SETS[each]]
    predictions = {}
    for member in members:
        held_out = predict_held_out_views(member, prepared, workspace, needed, reporter)
        predictions[member.run / OOF] = _of_folds(held_out, prepared.fold, of_fold)
    views = list(VIEW_SETS[name])
    text = judged.table.to_string(index=False, na_rep="", float_format="{:.4f}".format)
    return ViewedRuns(
        name,
        [replace(member, views=views) for member in members],
        predictions,
        [*text.splitlines(), f"Views: {name} ({', '.join(views)})."],
    )


def _of_folds(
    held_out: Predictions, fold: npt.NDArray[np.intp], of_fold: Mapping[int, str]
) -> Predictions:
    """The predictions of each fold from the views that the other folds speak for."""
    probabilities = np.empty_like(held_out.probabilities)
    for number, name in of_fold.items():
        part = fold == number
        probabilities[part] = held_out.of_views(VIEW_SETS[name]).probabilities[part]
    return Predictions(held_out.ids, probabilities, held_out.truth)


def _gain_of_recipes(
    predictions: Mapping[Path, Predictions], prepared: PreparedData, random: np.random.Generator
) -> list[str]:
    """What the views of the recipes gain, where the folds have kept what they predict from each."""
    runs = list(predictions.values())
    plain = [one for run in runs if (one := run.without_views())]
    if len(plain) < len(runs):
        return []
    ids = prepared.index.column("id", prepared.index.rows("train"))
    groups = prepared.index.column("group", prepared.index.rows("train"))
    compared = compare_paired(
        prepared.competition.evaluation_metric(),
        prepared.target_ids(),
        average([run.of(ids) for run in runs]),
        average([run.of(ids) for run in plain]),
        np.array(groups, dtype=object),
        random,
    )
    views = ", ".join(dict.fromkeys(view for run in runs for view in run.by_view))
    return [compared.sentence(f"The mean of the views {views}", "the image as it is")]
