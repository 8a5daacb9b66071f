"""Has the trials of a search trained on the machines of a cluster."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kagglecxr.core.errors import CxrError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import WEIGHTS, fold_folder, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.models.weights.sources import find_weights
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.cluster.file_bundle import FileBundle, replace_folder, workspace_files
from kagglecxr.training.cluster.ray_cluster import RayCluster, RayTask, connect, fetch
from kagglecxr.training.cluster.remote_tasks import run_trial_task
from kagglecxr.training.cluster.task_messages import ClusterError, TrialTask
from kagglecxr.training.initial_weights import fetch_weights
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.search.study import open_trial
from kagglecxr.training.search.trial_process import (
    LOG_FILE,
    RunningTrial,
    TrialResult,
    TrialSpec,
    WarmPool,
)


class StudyActor:
    """Stands on the machine of the command and writes to the study what trials report.

    So the study may be a file there, or a database that the other machines neither reach nor have
    the password of.

    Args:
        study: its name.
        storage: where it is kept.
    """

    def __init__(self, study: str, storage: str) -> None:
        self._study, self._storage = study, storage

    def report(self, number: int, score: float, step: int) -> bool:
        """Writes a score of a trial down; whether that trial is to be given up."""
        trial = open_trial(self._study, self._storage, number)
        trial.report(score, step)
        return trial.should_prune()


class RemoteTrial:
    """What stands for an Optuna trial on a machine of the cluster.

    Args:
        desk: a `StudyActor`, as Ray knows it.
        number: the trial's.
    """

    def __init__(self, desk: Any, number: int) -> None:
        self._desk, self._number = desk, number
        self._given_up = False

    def report(self, value: float, step: int) -> None:
        """Has a score written down."""
        self._given_up = bool(fetch(self._desk.report.remote(self._number, value, step)))

    def should_prune(self) -> bool:
        """Whether the last score was too bad to go on."""
        return self._given_up


class ClusterTrial:
    """A trial on some machine of the cluster; a `RunningTrial` of the search.

    Args:
        task: it.
        folder: where its files go.
    """

    def __init__(self, task: RayTask, folder: Path) -> None:
        self._task, self._folder = task, folder

    def outcome(self) -> TrialResult | None:
        """How it ended; None while it runs or waits for a machine."""
        if not self._task.has_ended():
            return None
        try:
            done = self._task.result()
        except ClusterError as error:
            return TrialResult("died", error=str(error))
        if done.error:
            return TrialResult("failed", error=f"on {done.machine}: {done.error}")
        notes = {LOG_FILE: "\n".join(done.notes).encode()} if done.notes else {}
        replace_folder(self._folder, done.files | notes)
        return TrialResult(**done.answer)

    def stop(self) -> None:
        """Ends it at once."""
        self._task.stop()


class _FailedTrial:
    """A trial whose weights are not to be had."""

    def __init__(self, error: str) -> None:
        self._error = error

    def outcome(self) -> TrialResult | None:
        return TrialResult("failed", error=self._error)

    def stop(self) -> None:
        """There is nothing to end."""


class RayTrialStarter:
    """Starts trials on the machines of a cluster, as `tune_recipe` wants it.

    Args:
        machines: where.
        workspace: the competition's.
    """

    def __init__(self, machines: RayCluster, workspace: Workspace) -> None:
        self._machines, self._workspace = machines, workspace
        self._data: dict[str, FileBundle] = {}
        self._weights: dict[tuple[tuple[str, Path], ...], FileBundle] = {}
        self._desks: dict[tuple[str, str], Any] = {}

    def __call__(self, job: TrialSpec) -> RunningTrial:
        """Begins a trial."""
        recipe = Recipe.model_validate(job.recipe)
        try:
            files, starts = weight_files(fetch_weights(recipe, Silent()), recipe.model, job.folds)
        except CxrError as error:
            return _FailedTrial(str(error))
        if job.cache not in self._data:
            sent = workspace_files(self._workspace, job.cache)
            self._data[job.cache] = self._machines.send(sent)
        known = tuple(files.items())
        if known not in self._weights:
            self._weights[known] = self._machines.send(files)
        task = TrialTask(
            self._data[job.cache], self._weights[known], job.as_line(), starts, self._desk(job)
        )
        return ClusterTrial(self._machines.begin(run_trial_task, task), Path(job.folder))

    def _desk(self, job: TrialSpec) -> Any:
        known = (job.study, job.storage)
        if known not in self._desks:
            self._desks[known] = self._machines.here(StudyActor, *known)
        return self._desks[known]


@contextlib.contextmanager
def trial_starter(
    cluster: str | None, workspace: Workspace
) -> Iterator[tuple[Callable[[TrialSpec], RunningTrial], int]]:
    """What starts trials on a cluster while it is connected, and how many it takes at once.

    For no cluster: processes on this machine, where the search says how many at once.

    Raises:
        CxrError: as `connect` does.
    """
    if cluster is None:
        with WarmPool() as start:
            yield start, 1
        return
    with connect(cluster) as machines:
        yield RayTrialStarter(machines, workspace), machines.places


def weight_files(
    sources: list[str], model: str, folds: int
) -> tuple[dict[str, Path], tuple[str, ...]]:
    """The files behind a recipe's sources of weights, and each source's name among them.

    A run travels as it lies, with the index of its workspace: the machine that trains looks there
    whether it has seen what is held out.

    Args:
        sources: what `fetch_weights` gave.
        model: the zoo's name.
        folds: how many are trained.

    Raises:
        MissingError, WeightsError: weights that are not there or not to be had.
    """
    files: dict[str, Path] = {}
    names = []
    for number, source in enumerate(sources):
        run = Path(source)
        if not (run / "run.json").is_file():
            path = find_weights(MODELS[model], source)
            names.append(f"{number}/{path.name}")
            files[names[-1]] = path
            continue
        names.append(f"{number}/runs/{run.name}")
        inside = [run / "run.json"]
        inside += {fold_folder(run, fold % read_run(run).folds) / WEIGHTS for fold in range(folds)}
        files |= {f"{names[-1]}/{path.relative_to(run).as_posix()}": path for path in inside}
        index = run.parent.parent / "index.csv"
        if index.is_file():
            files[f"{number}/index.csv"] = index
    return files, tuple(names)
