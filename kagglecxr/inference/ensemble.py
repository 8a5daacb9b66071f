"""Predicts the test part with the folds of one or several runs, and blends them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.files import digest, read_table, write_json, write_table
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import WEIGHTS, RunRecord, finished_runs, fold_folder, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepare import PreparedData
from kagglecxr.inference.predictions import Predictions, average
from kagglecxr.inference.predictor import predict_views
from kagglecxr.models.weights.loading import load_weights
from kagglecxr.models.zoo import create_model


@dataclass(frozen=True)
class Blend:
    """A blend of runs and what it left on disk.

    Attributes:
        name: of the blend.
        folder: with its predictions and blend.json.
        submission: the CSV for the leaderboard.
        score: of its out-of-fold predictions, by the competition's metric; None where a run in it
            has none.
        runs: the names of the runs in it.
    """

    name: str
    folder: Path
    submission: Path
    score: float | None
    runs: list[str]


def choose_runs(prepared: PreparedData, workspace: Workspace, names: Sequence[str]) -> list[Path]:
    """The runs to blend: those named, or the one with the best out-of-fold score.

    Raises:
        UnknownNameError, MissingError: no such run, or none at all.
    """
    if names:
        return [workspace.run(name) for name in dict.fromkeys(names)]
    metric = METRICS[prepared.competition.metric.name]
    # The mean of a run's folds has no such score, since each of them has seen the others' images.
    runs = [
        run
        for run in finished_runs(workspace.runs)
        if f"oof_{metric.name}" in read_run(run).metrics
    ]
    if not runs:
        raise MissingError(
            f"There is no finished run to predict with. Looked in: {workspace.runs}. "
            f"Run: python -m kagglecxr.train {workspace.competition}"
        )
    best = runs[0]
    for run in runs[1:]:
        if metric.better(_oof_score(run, metric.name), _oof_score(best, metric.name)):
            best = run
    return [best]


def blend_runs(
    prepared: PreparedData,
    workspace: Workspace,
    runs: Sequence[Path],
    submissions: Path,
    reporter: Reporter,
) -> Blend:
    """The mean of the runs' folds, as predictions and as a submission.

    Args:
        prepared: the data.
        workspace: where the blend goes.
        runs: folders of finished runs.
        submissions: the folder for the CSV.
        reporter: told of every fold that has predicted.

    Raises:
        MissingError: there is no test part.
        DataError: a run was trained for other targets, images or folds.
    """
    rows = prepared.index.rows("test")
    if not len(rows):
        raise MissingError(
            f"There is no test part to predict. Received: an index without test images in "
            f"{workspace.index}. Run: python -m kagglecxr.prepare {workspace.competition} "
            "--test 0.2"
        )
    records = [read_compatible_run(run, prepared) for run in runs]
    test = [
        _predict_test(run, record, prepared, reporter)
        for run, record in zip(runs, records, strict=True)
    ]
    name = records[0].name if len(runs) == 1 else f"mean-{digest([r.name for r in records])[:8]}"
    folder = workspace.ensembles / name
    test_ids = prepared.index.column("id", rows)
    mean = average([part.of(test_ids) for part in test])
    blended = Predictions(np.array(test_ids), mean, _unknown(len(rows)))
    metric = METRICS[prepared.competition.metric.name]
    submission = submissions / f"{prepared.competition.name}-{name}.csv"
    score = None
    if all((run / "oof.npz").is_file() for run in runs):
        blended_oof = _out_of_fold(prepared, runs)
        blended_oof.save(folder / "oof.npz")
        score = metric(blended_oof.truth, blended_oof.probabilities)
    blended.save(folder / "test.npz")
    _write_submission(prepared, workspace, blended, submission)
    write_json(
        folder / "blend.json",
        {
            "runs": [record.name for record in records],
            "metric": metric.name,
            "out_of_fold": score,
            "submission": str(submission),
        },
    )
    return Blend(name, folder, submission, score, [record.name for record in records])


def _out_of_fold(prepared: PreparedData, runs: Sequence[Path]) -> Predictions:
    ids = prepared.index.column("id", prepared.index.rows("train"))
    oof = [Predictions.load(run / "oof.npz").of(ids) for run in runs]
    return Predictions(np.array(ids), average(oof), prepared.target_ids())


def _oof_score(run: Path, metric: str) -> float:
    score = read_run(run).metrics[f"oof_{metric}"]
    if not np.isfinite(score):
        raise SettingError(
            f"A run's out-of-fold score is not a number. Received: {score} in {run}. Name the "
            "runs to blend."
        )
    return score


def _unknown(images: int) -> npt.NDArray[np.intp]:
    return np.full(images, -1, np.intp)


def read_compatible_run(run: Path, prepared: PreparedData) -> RunRecord:
    """A run's record, if it was trained on these targets and images.

    Raises:
        DataError: it was trained for others.
    """
    record = read_run(run)
    if record.targets != prepared.competition.targets():
        raise DataError(
            f"A run was trained for other targets. Received: {record.targets} in {run}, the "
            f"competition has {prepared.competition.targets()}. Train again."
        )
    if record.data["cache"] != prepared.cache.key:
        raise DataError(
            f"A run was trained on other images than those prepared now. Received: cache "
            f"{record.data['cache']} in {run}, prepared is {prepared.cache.key}. Run prepare with "
            "that run's size and pipeline, or train again."
        )
    return record


def _predict_test(
    run: Path, record: RunRecord, prepared: PreparedData, reporter: Reporter
) -> Predictions:
    """The mean of a run's folds on the test part; predicted once, then read again."""
    rows = prepared.index.rows("test")
    ids = prepared.index.column("id", rows)
    path = run / "test.npz"
    if path.is_file():
        kept = Predictions.load(path)
        if kept.ids.tolist() == ids:
            return kept
    model = rebuild_model(record)
    folds = []
    with reporter.bar(f"Predicting with {record.name}", record.folds) as bar:
        for fold in range(record.folds):
            load_weights(model, fold_folder(run, fold) / WEIGHTS)
            views = record.recipe["views"]
            folds.append(predict_views(model, prepared.cache.images, rows, views=views))
            bar.advance()
    predictions = Predictions(np.array(ids), average(folds), _unknown(len(rows)))
    predictions.save(path)
    return predictions


def rebuild_model(record: RunRecord) -> keras.Model:
    """The model of a run, its weights yet to be loaded."""
    return create_model(
        record.model,
        num_classes=len(record.targets),
        input_shape=record.input_shape,
        **record.recipe["model_options"],
    )


def _write_submission(
    prepared: PreparedData, workspace: Workspace, blended: Predictions, path: Path
) -> None:
    sample = read_table(workspace.require(workspace.sample_submission, "prepare"))
    ids = list(sample.iloc[:, 0])
    competition = prepared.competition
    submission_format = competition.submission.for_targets(competition.targets())
    table = submission_format.build(ids, blended.of(ids))
    write_table(path, table[list(sample.columns)])
