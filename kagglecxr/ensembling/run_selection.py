"""Which runs are combined: those named, those of an ensemble, or the best one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.files import digest, read_json
from kagglecxr.core.metrics import METRICS
from kagglecxr.core.run_record import finished_runs, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData

_KEYS_OF_A_MEAN = {"runs", "metric", "out_of_fold", "submission"}


def choose_runs(prepared: PreparedData, workspace: Workspace, names: Sequence[str]) -> list[Path]:
    """Finds runs, and those of ensembles, by name; defaults to the best run out of fold.

    Raises:
        UnknownNameError: there is no such run.
        MissingError: a run is not finished, or there is none at all.
        SettingError: an ensemble that is more than a mean of runs.
    """
    if names:
        named = dict.fromkeys(run for name in names for run in _runs_of(workspace, name))
        return [workspace.run(name) for name in named]
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
            f"Run: {workspace.command('train')}"
        )
    best = runs[0]
    for run in runs[1:]:
        if metric.better(_oof_score(run, metric.name), _oof_score(best, metric.name)):
            best = run
    return [best]


def ensemble_name(runs: Sequence[str]) -> str:
    """The name of the mean of these runs: a single run's own."""
    return runs[0] if len(runs) == 1 else f"mean-{digest(list(runs))[:8]}"


def export_name(
    competition: str, names: Sequence[str], runs: Sequence[Path], fold: int | None
) -> str:
    """The name of an exported file: that of the one run or ensemble named, or of its runs' mean."""
    name = names[0] if len(names) == 1 else ensemble_name([run.name for run in runs])
    return f"{competition}-{name}{'' if fold is None else f'-fold-{fold}'}"


def _oof_score(run: Path, metric: str) -> float:
    score = read_run(run).metrics[f"oof_{metric}"]
    if not np.isfinite(score):
        raise SettingError(
            f"A run's out-of-fold score is not a number. Received: {score} in {run}. Name the "
            "runs to blend."
        )
    return score


def _runs_of(workspace: Workspace, name: str) -> list[str]:
    """The runs of an ensemble, or the run itself."""
    run, blend = workspace.runs / name, workspace.ensembles / name / "blend.json"
    if (run / "run.json").is_file():
        return [name]
    if blend.is_file():
        return _blended_runs(blend)
    if run.is_dir():
        raise MissingError(
            f"A run is not finished. Received: {run}. Run the command that trained it again: it "
            "goes on where it was."
        )
    return [name]


def _blended_runs(blend: Path) -> list[str]:
    try:
        values = read_json(blend)
        runs = [str(run) for run in values["runs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"An ensemble's record cannot be read. Received: {blend} ({error}). Make that "
            "ensemble again."
        ) from error
    more = sorted(values.keys() - _KEYS_OF_A_MEAN)
    if more:
        raise SettingError(
            f"An ensemble is more than the mean of its runs. Received: {', '.join(more)} in "
            f"{blend}. Name its runs instead."
        )
    return runs
