"""Trains the trials of a search on the machines of a cluster."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

from kagglecxr.core.errors import CxrError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import WEIGHTS, fold_folder, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.models.weights.sources import find_weights
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.cluster.file_bundle import FileBundle, replace_folder, workspace_files
from kagglecxr.training.cluster.ray_cluster import RayCluster, RayTask, connect
from kagglecxr.training.cluster.remote_tasks import run_trial_task
from kagglecxr.training.cluster.task_messages import ClusterError, TrialTask
from kagglecxr.training.initial_weights import fetch_weights
from kagglecxr.training.search.study import open_trial
from kagglecxr.training.search.trial_process import (
    LOG_FILE,
    RunningTrial,
    TrialLauncher,
    TrialResult,
    TrialSpec,
    WarmPool,
)


class StudyActor:
    """Reports scores to a study from the machine of the command.

    So the study can be a file of that machine, or a database that the other machines cannot reach
    and whose password they do not know.

    Args:
        study: The name of the study.
        storage: Where it is stored.
    """

    def __init__(self, study: str, storage: str) -> None:
        self._study, self._storage = study, storage

    def report(self, number: int, score: float, step: int) -> bool:
        """Reports a trial's score. Returns whether the trial is to be pruned."""
        trial = open_trial(self._study, self._storage, number)
        trial.report(score, step)
        return trial.should_prune()


class ClusterTrial:
    """A trial on some machine of the cluster.

    Args:
        task: The submitted task.
        folder: Where the files of the trial go.
    """

    def __init__(self, task: RayTask, folder: Path) -> None:
        self._task, self._folder = task, folder

    def poll(self) -> TrialResult | None:
        """How the trial ended; None while it runs or waits for a machine."""
        if not self._task.done():
            return None
        try:
            result = self._task.result()
        except ClusterError as error:
            return TrialResult("died", error=str(error))
        if result.trial is None:
            return TrialResult("failed", error=f"on {result.machine}: {result.error}")
        notes = {LOG_FILE: "\n".join(result.notes).encode()} if result.notes else {}
        replace_folder(self._folder, result.files | notes)
        return result.trial

    def kill(self) -> None:
        """Kills the task."""
        self._task.cancel()


class _FailedTrial:
    """A trial that could not be submitted."""

    def __init__(self, error: str) -> None:
        self._error = error

    def poll(self) -> TrialResult | None:
        return TrialResult("failed", error=self._error)

    def kill(self) -> None:
        """Does nothing."""


class RayTrialLauncher:
    """Submits trials to a cluster.

    Args:
        cluster: Where to train.
        workspace: The competition's workspace.
    """

    def __init__(self, cluster: RayCluster, workspace: Workspace) -> None:
        self._cluster, self._workspace = cluster, workspace
        self._data: dict[str, FileBundle] = {}
        self._weights: dict[tuple[tuple[str, Path], ...], FileBundle] = {}
        self._report_to = functools.cache(functools.partial(cluster.start_actor, StudyActor))

    def __call__(self, spec: TrialSpec) -> RunningTrial:
        """Submits a trial."""
        try:
            sources = fetch_weights(spec.recipe, Silent())
            files, names = weight_files(sources, spec.recipe.model, spec.folds)
        except CxrError as error:
            return _FailedTrial(str(error))
        if spec.cache_key not in self._data:
            own = workspace_files(self._workspace, spec.cache_key)
            self._data[spec.cache_key] = self._cluster.put(own)
        key = tuple(files.items())
        if key not in self._weights:
            self._weights[key] = self._cluster.put(files)
        actor = self._report_to(spec.study, spec.storage)
        task = TrialTask(
            workspace=self._data[spec.cache_key],
            weights=self._weights[key],
            weight_names=names,
            spec=spec.to_json(),
            report=functools.partial(actor.call, "report"),
        )
        return ClusterTrial(self._cluster.submit(run_trial_task, task), spec.folder)


@contextlib.contextmanager
def trial_launcher(
    cluster: str | None, workspace: Workspace
) -> Iterator[tuple[TrialLauncher, int]]:
    """Yields what launches trials, and how many run at once at least.

    Args:
        cluster: The address of a cluster; None for processes on this machine.
        workspace: The competition's workspace.

    Raises:
        CxrError: As `connect` does.
    """
    if cluster is None:
        with WarmPool() as launch:
            yield launch, 1
        return
    with connect(cluster) as ray_cluster:
        yield RayTrialLauncher(ray_cluster, workspace), ray_cluster.capacity


def weight_files(
    sources: list[str], model: str, folds: int
) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Lists the files of a recipe's sources of weights, and the name of each source among them.

    A run keeps its folder structure and comes with the index of its workspace, by which the
    training makes sure that it has not learned from what is held out.

    Args:
        sources: What `fetch_weights` returned.
        model: The name of the model.
        folds: The number of folds that are trained.

    Raises:
        MissingError, WeightsError: Weights that are not there or cannot be fetched.
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
