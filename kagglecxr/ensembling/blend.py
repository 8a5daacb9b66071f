"""Makes an ensemble: fits it, predicts the test set with it, and writes a submission."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kagglecxr.core.errors import DataError, MissingError, SettingError, shorten
from kagglecxr.core.files import read_table, write_table
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import OOF, TEST, read_run
from kagglecxr.core.seeding import generator
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.predicted_masks import index_digest
from kagglecxr.data.prepared import PreparedData, prepare_again
from kagglecxr.ensembling.activations import activation_of
from kagglecxr.ensembling.blends import equal_blend
from kagglecxr.ensembling.ensemble_options import AUTO, EnsembleOptions
from kagglecxr.ensembling.ensemble_record import EnsembleRecord
from kagglecxr.ensembling.fitting import EnsembleFit, FittedEnsemble, fit_ensemble
from kagglecxr.ensembling.out_of_fold import align_out_of_fold, has_out_of_fold
from kagglecxr.ensembling.run_selection import ensemble_name
from kagglecxr.ensembling.view_selection import with_views
from kagglecxr.inference.members import Member, members_for_data
from kagglecxr.inference.predictions import Predictions, unlabelled
from kagglecxr.inference.predictor import Predictor
from kagglecxr.inference.tta import VIEW_SETS

TABLE = "blends.csv"


@dataclass(frozen=True)
class Blend:
    """An ensemble and its files.

    Attributes:
        folder: with blend.json, its predictions and, of several runs, blends.csv.
        record: what it is.
        lines: what was chosen and why; none where a run in it has no out-of-fold predictions.
    """

    folder: Path
    record: EnsembleRecord
    lines: list[str]

    @property
    def name(self) -> str:
        """The name, which is its folder's."""
        return self.folder.name

    @property
    def submission(self) -> Path:
        """The CSV for the leaderboard."""
        return Path(self.record.submission)

    def __str__(self) -> str:
        """One sentence on its runs and its score."""
        score = "no out-of-fold score, since it has seen all training images"
        if self.record.out_of_fold is not None:
            score = f"out-of-fold {self.record.metric} {self.record.out_of_fold:.4f}"
        return f"Blended {', '.join(self.record.runs)} ({score}): {self.submission}."


def blend_runs(
    prepared: PreparedData,
    workspace: Workspace,
    runs: Sequence[Path],
    submissions: Path,
    reporter: Reporter,
    options: EnsembleOptions = EnsembleOptions(),
    seed: int = 0,
) -> Blend:
    """Writes an ensemble of runs, as predictions in the workspace and as a submission.

    Raises:
        MissingError: there is no test set.
        DataError: a run was trained for other targets, images or folds.
        SettingError: the options need out-of-fold predictions, which a run has not.
        UnknownNameError: there is no such blend.
    """
    if not len(prepared.index.rows("test")):
        raise MissingError(
            f"There is no test set to predict. Received: an index without test images in "
            f"{workspace.index}. Run: {prepare_again(workspace, test='0.2')}"
        )
    members = members_for_data(runs, prepared)
    metric = prepared.competition.evaluation_metric()
    truth = prepared.truth()
    mean = equal_blend(len(members), activation_of(truth))
    fit, ensemble, method = None, FittedEnsemble(mean), "mean"
    views, lines = "", list[str]()
    are_scored = all(has_out_of_fold(run) for run in runs)
    if not are_scored:
        _check_plain(runs, workspace, options)
    if are_scored:
        random = generator(seed, "views")
        viewed = with_views(members, prepared, workspace, options.views, random, reporter)
        fit = fit_ensemble(viewed.oof, metric, options, generator(seed, "blend"))
        ensemble, method = fit.ensemble, fit.method
        members = [viewed.members[number] for number in fit.used]
        views, lines = viewed.views, [*viewed.lines, *fit.lines()]
    elif options.views:
        views = options.views
        members = [replace(member, views=list(VIEW_SETS[views])) for member in members]
    names = [member.record.name for member in members]
    name = ensemble_name(names, method) + (f"_{views}" if views else "")
    folder = workspace.ensembles / name
    submission = submissions / f"{prepared.competition.name}-{name}.csv"
    test = f"test-{views}.npz" if views else TEST
    blended = _predict_test(members, test, ensemble, prepared, reporter)
    score = apparent = None
    if fit is not None:
        score, apparent = fit.score, fit.apparent
        ids = prepared.index.column("id", prepared.index.rows("train"))
        Predictions(np.array(ids), fit.probabilities, truth).save(folder / OOF)
        if len(runs) > 1:
            write_table(folder / TABLE, fit.table)
    blended.save(folder / TEST)
    _write_submission(prepared, workspace, blended, submission)
    record = EnsembleRecord(
        names,
        ensemble,
        prepared.competition.targets(),
        list(VIEW_SETS[views]) if views else [],
        metric.name,
        score,
        apparent,
        str(submission),
    )
    record.write(folder)
    return Blend(folder, record, lines)


def judge_runs(prepared: PreparedData, runs: Sequence[Path], seed: int = 0) -> EnsembleFit:
    """Fits the blend of runs as `blend_runs` does by default, without predicting anything.

    Raises:
        DataError: a run was trained for other targets, images or folds.
    """
    oof = align_out_of_fold({run / OOF: Predictions.load(run / OOF) for run in runs}, prepared)
    metric = prepared.competition.evaluation_metric()
    return fit_ensemble(oof, metric, EnsembleOptions(), generator(seed, "blend"))


def _check_plain(runs: Sequence[Path], workspace: Workspace, options: EnsembleOptions) -> None:
    """Refuses what cannot be done with runs that have seen all training images."""
    without = [run for run in runs if not has_out_of_fold(run)]
    index = index_digest(workspace)
    others = [run.name for run in without if read_run(run).data.get("index") != index]
    if others:
        raise DataError(
            f"A run without out-of-fold predictions was trained on another index, so it may have "
            f"learned from images that are test images now. Received: {shorten(others)}. Make it "
            "again."
        )
    wanted = {options.calibrate, options.thresholds} - {"none", AUTO}
    if options.blend in (AUTO, "mean") and not wanted and options.views != AUTO:
        return
    raise SettingError(
        f"Blends, calibration, thresholds and views are chosen by out-of-fold predictions. "
        f"Received: {shorten([run.name for run in without])}, which has none, since it has seen "
        "all training images. Leave it out, or use --blend mean --calibrate none --thresholds none."
    )


def _predict_test(
    members: Sequence[Member],
    file: str,
    ensemble: FittedEnsemble,
    prepared: PreparedData,
    reporter: Reporter,
) -> Predictions:
    """The ensemble on the test set; each run predicts once, into a file, and is read later."""
    rows = prepared.index.rows("test")
    ids = prepared.index.column("id", rows)
    missing = [
        member
        for member in members
        if not (path := member.run / file).is_file() or Predictions.load(path).ids.tolist() != ids
    ]
    if missing:
        images = prepared.cache.images
        for member, probabilities in Predictor(missing).predict_runs(images, rows, reporter):
            unlabelled(ids, probabilities).save(member.run / file)
    runs = [Predictions.load(member.run / file).of(ids) for member in members]
    return unlabelled(ids, ensemble(runs))


def _write_submission(
    prepared: PreparedData, workspace: Workspace, blended: Predictions, path: Path
) -> None:
    sample = read_table(workspace.require(workspace.sample_submission, "prepare"))
    competition = prepared.competition
    submission_format = competition.submission.for_targets(competition.targets())
    ids = submission_format.image_ids(list(sample[submission_format.id]))
    write_table(path, submission_format.build_like(sample, ids, blended.of(ids)))
