"""Which views of test-time augmentation are worth their time, judged on out-of-fold predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.paired_tests import compare_paired
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import OOF
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData
from kagglecxr.ensembling.blend_selection import OutOfFold
from kagglecxr.ensembling.ensemble_options import AUTO
from kagglecxr.ensembling.out_of_fold import align_out_of_fold
from kagglecxr.ensembling.view_judgement import NO_VIEWS, ViewsJudgement, judge_views
from kagglecxr.inference.held_out_views import predict_held_out_views
from kagglecxr.inference.members import Member
from kagglecxr.inference.predictions import Predictions, average
from kagglecxr.inference.tta import VIEW_SETS


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
        prepared.truth(),
        prepared.groups(),
        prepared.fold,
        prepared.competition.evaluation_metric(),
        random,
    )


@dataclass(frozen=True)
class ViewedRuns:
    """Runs with the views that they predict from.

    Attributes:
        views: the set of views; empty for those of each run's recipe.
        members: the runs.
        oof: their out-of-fold predictions from these views.
        lines: what the views gain over the image as it is, as text.
    """

    views: str
    members: list[Member]
    oof: OutOfFold
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
    oof = align_out_of_fold(own, prepared)
    if wanted is None:
        return ViewedRuns("", list(members), oof, _gain_of_recipes(own, prepared, random))
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
        align_out_of_fold(predictions, prepared),
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
    compared = compare_paired(
        prepared.competition.evaluation_metric(),
        prepared.truth(),
        average([run.of(ids) for run in runs]),
        average([run.of(ids) for run in plain]),
        prepared.groups(),
        random,
    )
    views = ", ".join(dict.fromkeys(view for run in runs for view in run.by_view))
    return [compared.sentence(f"The mean of the views {views}", "the image as it is")]
