"""Trains the trials of a search on the machines of a cluster."""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kagglecxr.core.errors import CxrError
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import WEIGHTS, fold_folder, read_run
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData
from kagglecxr.models.weights.sources import find_weights
from kagglecxr.models.zoo import MODELS
from kagglecxr.training.cluster.file_bundle import masked_files, replace_folder, workspace_files
from kagglecxr.training.cluster.ray_cluster import RayCluster, RayTask, connect
from kagglecxr.training.cluster.remote_tasks import run_trial_task
from kagglecxr.training.cluster.task_messages import ClusterError, TrialTask
from kagglecxr.training.initial_weights import fetch_weights
from kagglecxr.training.recipe import Recipe, SegmentationSettings
from kagglecxr.training.search.study import score_reporter
from kagglecxr.training.search.trial_process import (
    LOG_FILE,
    RunningTrial,
    TrialLauncher,
    TrialResult,
    TrialSpec,
    WarmPool,
)
from kagglecxr.training.tasks import data_of_recipe


class StudyActor:
    """Reports scores to a study from the machine of the command.

    So the study can be a file of that machine, or a database that the other machines cannot reach
    and whose password they do not know.
    """

    def __init__(self, study: str, storage: str) -> None:
        self._study, self._storage = study, storage

    def report(self, number: int, step: int, score: float) -> bool:
        """Reports a trial's score. Returns whether to prune the trial."""
        return score_reporter(self._study, self._storage, number)(step, score)


@dataclass(frozen=True)
class ClusterTrial:
    """A trial on some machine of the cluster, whose files go to a folder when it ends."""

    task: RayTask
    folder: Path

    def poll(self) -> TrialResult | None:
        """How the trial ended; None while it runs or waits for a machine."""
        if not self.task.done():
            return None
        try:
            result = self.task.result()
        except ClusterError as error:
            return TrialResult("died", error=str(error))
        if result.trial is None:
            return TrialResult("failed", error=f"on {result.machine}: {result.error}")
        notes = {LOG_FILE: "\n".join(result.notes).encode()} if result.notes else {}
        replace_folder(self.folder, result.files | notes)
        return result.trial

    def kill(self) -> None:
        """Kills the task."""
        self.task.cancel()


@dataclass(frozen=True)
class _FailedTrial:
    """A trial that could not be submitted."""

    error: str

    def poll(self) -> TrialResult | None:
        return TrialResult("failed", error=self.error)

    def kill(self) -> None:
        pass


class RayTrialLauncher:
    """Submits trials on prepared data to a cluster."""

    def __init__(self, cluster: RayCluster, prepared: PreparedData, workspace: Workspace) -> None:
        self._cluster, self._prepared, self._workspace = cluster, prepared, workspace
        self._start_actor = functools.cache(functools.partial(cluster.start_actor, StudyActor))
        self._masked: dict[SegmentationSettings | None, dict[str, Path]] = {None: {}}

    def __call__(self, spec: TrialSpec) -> RunningTrial:
        """Submits a trial."""
        try:
            sources = fetch_weights(spec.recipe, Silent())
            files, names = weight_files(sources, spec.recipe.model, spec.folds)
            masked = self._masked_files(spec.recipe)
        except CxrError as error:
            return _FailedTrial(str(error))
        task = TrialTask(
            workspace=self._cluster.put(workspace_files(self._workspace, spec.cache_key) | masked),
            weights=self._cluster.put(files),
            weight_names=names,
            spec=spec.to_json(),
            report=functools.partial(self._start_actor(spec.study, spec.storage), "report"),
        )
        return ClusterTrial(self._cluster.submit(run_trial_task, task), spec.folder)

    def _masked_files(self, recipe: Recipe) -> dict[str, Path]:
        """The masked images that a recipe learns from, written once for each preprocessing."""
        settings = recipe.segmentation
        if settings not in self._masked:
            data = data_of_recipe(self._prepared, self._workspace, recipe, Silent())
            self._masked[settings] = masked_files(self._workspace, data)
        return self._masked[settings]


@contextlib.contextmanager
def trial_launcher(
    cluster: str | None, prepared: PreparedData, workspace: Workspace
) -> Iterator[tuple[TrialLauncher, int]]:
    """Yields what launches trials, here or on a cluster, and how many run at once at least.

    Raises:
        CxrError: As `connect` does.
    """
    if cluster is None:
        with WarmPool() as launch:
            yield launch, 1
        return
    with connect(cluster) as ray_cluster:
        yield RayTrialLauncher(ray_cluster, prepared, workspace), ray_cluster.capacity


def weight_files(
    sources: list[str], model: str, folds: int
) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Lists the files of a recipe's sources of weights, and the name of each source among them.

    A run keeps its folder structure and comes with the index of its workspace, by which the
    training makes sure that it has not learned from what is held out.

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
