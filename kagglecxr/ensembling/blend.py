"""Blends runs: predicts the test set with each, combines the predictions, writes a submission."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kagglecxr.core.errors import MissingError
from kagglecxr.core.files import read_table, write_json, write_table
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData, prepare_again
from kagglecxr.ensembling.run_selection import ensemble_name
from kagglecxr.inference.members import Member, members_for_data
from kagglecxr.inference.predictions import Predictions, average, unlabelled
from kagglecxr.inference.predictor import Predictor


@dataclass(frozen=True)
class Blend:
    """A blend of runs and its files.

    Attributes:
        folder: with its predictions and blend.json.
        submission: the CSV for the leaderboard.
        score: of its out-of-fold predictions; None where a run in it has none.
        runs: the names of the runs in it.
    """

    name: str
    folder: Path
    submission: Path
    score: float | None
    runs: list[str]


def blend_runs(
    prepared: PreparedData,
    workspace: Workspace,
    runs: Sequence[Path],
    submissions: Path,
    reporter: Reporter,
) -> Blend:
    """Writes the mean of runs, as predictions in the workspace and as a submission.

    Raises:
        MissingError: there is no test set.
        DataError: a run was trained for other targets, images or folds.
    """
    rows = prepared.index.rows("test")
    if not len(rows):
        raise MissingError(
            f"There is no test set to predict. Received: an index without test images in "
            f"{workspace.index}. Run: {prepare_again(workspace, test='0.2')}"
        )
    members = members_for_data(runs, prepared)
    names = [member.record.name for member in members]
    name = ensemble_name(names)
    folder = workspace.ensembles / name
    submission = submissions / f"{prepared.competition.name}-{name}.csv"
    blended = _predict_test(members, prepared, reporter)
    metric = METRICS[prepared.competition.metric.name]
    score = None
    if all((run / "oof.npz").is_file() for run in runs):
        ids = prepared.index.column("id", prepared.index.rows("train"))
        mean = average([Predictions.load(run / "oof.npz").of(ids) for run in runs])
        out_of_fold = Predictions(np.array(ids), mean, prepared.target_ids())
        out_of_fold.save(folder / "oof.npz")
        score = metric(out_of_fold.truth, out_of_fold.probabilities)
    blended.save(folder / "test.npz")
    _write_submission(prepared, workspace, blended, submission)
    record = {"runs": names, "metric": metric.name, "out_of_fold": score}
    write_json(folder / "blend.json", {**record, "submission": str(submission)})
    return Blend(name, folder, submission, score, names)


def _predict_test(
    members: Sequence[Member], prepared: PreparedData, reporter: Reporter
) -> Predictions:
    """The mean of the runs on the test set; each run predicts once, and is read again later."""
    rows = prepared.index.rows("test")
    ids = prepared.index.column("id", rows)
    missing = [
        member
        for member in members
        if not (path := member.run / "test.npz").is_file()
        or Predictions.load(path).ids.tolist() != ids
    ]
    if missing:
        images = prepared.cache.images
        for member, probabilities in Predictor(missing).predict_runs(images, rows, reporter):
            unlabelled(ids, probabilities).save(member.run / "test.npz")
    runs = [Predictions.load(member.run / "test.npz").of(ids) for member in members]
    return unlabelled(ids, average(runs))


def _write_submission(
    prepared: PreparedData, workspace: Workspace, blended: Predictions, path: Path
) -> None:
    sample = read_table(workspace.require(workspace.sample_submission, "prepare"))
    competition = prepared.competition
    submission_format = competition.submission.for_targets(competition.targets())
    ids = submission_format.image_ids(list(sample[submission_format.id]))
    write_table(path, submission_format.build_like(sample, ids, blended.of(ids)))
