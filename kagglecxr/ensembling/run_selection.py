"""Which runs are combined: those named, those of an ensemble, or the finished ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kagglecxr.core.errors import CxrError, MissingError, SettingError
from kagglecxr.core.files import digest
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import finished_runs, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.index import read_folds
from kagglecxr.data.prepared import PreparedData
from kagglecxr.ensembling.ensemble_record import RECORD, read_ensemble
from kagglecxr.ensembling.out_of_fold import has_out_of_fold
from kagglecxr.inference.members import read_compatible_run


def choose_runs(prepared: PreparedData, workspace: Workspace, names: Sequence[str]) -> list[Path]:
    """Finds runs whose mean predicts, by name; defaults to the best run out of fold.

    An ensemble stands for its runs.

    Raises:
        UnknownNameError: there is no such run.
        MissingError: a run is not finished, or there is none at all.
        SettingError: an ensemble that is more than a mean of runs.
    """
    if names:
        for name in names:
            _check_mean(workspace, name)
        return named_runs(workspace, names)
    metric = prepared.competition.evaluation_metric()
    # The mean of a run's folds has no such score, since each of them has seen the others' images.
    runs = [
        run
        for run in finished_runs(workspace.runs)
        if f"oof_{metric.name}" in read_run(run).metrics
    ]
    if not runs:
        raise _no_run(workspace)
    best = runs[0]
    for run in runs[1:]:
        if metric.better(_oof_score(run, metric.name), _oof_score(best, metric.name)):
            best = run
    return [best]


def runs_to_blend(
    prepared: PreparedData, workspace: Workspace, names: Sequence[str], reporter: Reporter
) -> list[Path]:
    """Finds the runs to blend, by name; defaults to all finished ones on these data and folds.

    Runs that are left out are named with the reason, and so are those named that have other folds:
    what is fitted to their predictions has seen the images that it is judged on.

    Raises:
        UnknownNameError: there is no such run.
        MissingError: a run is not finished, or there is none at all.
    """
    if names:
        named = named_runs(workspace, names)
        for run in named:
            has_folds = has_out_of_fold(run) and (run / "folds.csv").is_file()
            if len(named) > 1 and has_folds and _has_other_folds(run, prepared):
                reporter.note(
                    f"{run.name} has other folds than those of prepare, so the scores of blends "
                    "with it are a little too good."
                )
        return named
    runs = []
    for run in finished_runs(workspace.runs):
        reason = _reason_against(run, prepared)
        if reason:
            reporter.note(f"{run.name} is left out: {reason}")
        else:
            runs.append(run)
    if not runs:
        raise _no_run(workspace)
    return sorted(runs)


def named_runs(workspace: Workspace, names: Sequence[str]) -> list[Path]:
    """Finds runs by name; an ensemble stands for its runs.

    Raises:
        UnknownNameError: there is no such run.
        MissingError: a run is not finished.
    """
    named = dict.fromkeys(run for name in names for run in _runs_of(workspace, name))
    return [workspace.run(name) for name in named]


def ensemble_name(runs: Sequence[str], method: str = "mean") -> str:
    """The name of the blend of these runs by a method: a single run's own."""
    return runs[0] if len(runs) == 1 else f"{method}-{digest(sorted(runs))[:8]}"


def export_name(
    competition: str, names: Sequence[str], runs: Sequence[Path], fold: int | None
) -> str:
    """The name of an exported file: that of the one run or ensemble named, or of its runs' mean."""
    name = names[0] if len(names) == 1 else ensemble_name([run.name for run in runs])
    return f"{competition}-{name}{'' if fold is None else f'-fold-{fold}'}"


def _reason_against(run: Path, prepared: PreparedData) -> str:
    """Why a finished run cannot be blended with others by default; empty where it can."""
    try:
        read_compatible_run(run, prepared)
    except CxrError as error:
        return str(error)
    if not has_out_of_fold(run):
        return "it has no out-of-fold predictions, since it has seen all training images."
    try:
        is_other = _has_other_folds(run, prepared)
    except (CxrError, OSError) as error:
        return str(error)
    return "its folds are others than those of prepare. Name it to blend it." if is_other else ""


def _has_other_folds(run: Path, prepared: PreparedData) -> bool:
    return not np.array_equal(read_folds(run / "folds.csv", prepared.index), prepared.fold)


def _no_run(workspace: Workspace) -> MissingError:
    return MissingError(
        f"There is no finished run to predict with. Looked in: {workspace.runs}. "
        f"Run: {workspace.command('train')}"
    )


def _oof_score(run: Path, metric: str) -> float:
    score = read_run(run).metrics[f"oof_{metric}"]
    if not np.isfinite(score):
        raise SettingError(
            f"A run's out-of-fold score is not a number. Received: {score} in {run}. Name the "
            "runs to blend."
        )
    return score


def _is_ensemble(workspace: Workspace, name: str) -> bool:
    """Whether a name is that of an ensemble and of no run."""
    is_run = (workspace.runs / name / "run.json").is_file()
    return not is_run and (workspace.ensembles / name / RECORD).is_file()


def _runs_of(workspace: Workspace, name: str) -> list[str]:
    """The runs of an ensemble, or the run itself."""
    if _is_ensemble(workspace, name):
        return read_ensemble(workspace.ensembles / name).runs
    run = workspace.runs / name
    if run.is_dir() and not (run / "run.json").is_file():
        raise MissingError(
            f"A run is not finished. Received: {run}. Run the command that trained it again: it "
            "goes on where it was."
        )
    return [name]


def _check_mean(workspace: Workspace, name: str) -> None:
    if not _is_ensemble(workspace, name):
        return
    ensemble = read_ensemble(workspace.ensembles / name)
    if not ensemble.is_mean:
        plain = ("--blend", "mean", "--calibrate", "none", "--thresholds", "none")
        raise SettingError(
            f"An ensemble is more than the mean of its runs. Received: {name}, with weights, "
            f"views, calibration or thresholds of its own. Make the mean first: "
            f"{workspace.command('ensemble', *ensemble.runs, *plain)}"
        )
