"""Trains the folds of a run on the machines of a cluster."""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kagglecxr.core.errors import shorten
from kagglecxr.core.progress import Reporter
from kagglecxr.training.cluster.file_bundle import masked_files, replace_folder, workspace_files
from kagglecxr.training.cluster.ray_cluster import RayCluster, RayTask, connect
from kagglecxr.training.cluster.remote_tasks import run_fold_task
from kagglecxr.training.cluster.task_messages import ClusterError, FoldTask, TaskResult
from kagglecxr.training.run_spec import FoldExecutor, RunSpec


@contextlib.contextmanager
def fold_executor(cluster: str | None) -> Iterator[FoldExecutor | None]:
    """Connects to a cluster and yields what trains folds there; None if no cluster is named.

    Raises:
        CxrError: As `connect` does.
    """
    if cluster is None:
        yield None
        return
    with connect(cluster) as ray_cluster:
        yield functools.partial(train_folds, ray_cluster)


def train_folds(
    cluster: RayCluster,
    run: RunSpec,
    initial_weights: Mapping[int, Sequence[Path]],
    reporter: Reporter,
) -> None:
    """Trains the folds that are not finished; each is written to the run's folder as it ends.

    Raises:
        ClusterError: Some folds failed; the others are finished all the same.
    """
    missing = [fold for fold in run.missing_folds() if fold in initial_weights]
    if not missing:
        return
    failed: dict[int, str] = {}
    with reporter.bar("Folds", len(missing)) as bar:
        tasks = _submit(cluster, run, {fold: initial_weights[fold] for fold in missing})
        for task in cluster.as_completed(tasks):
            fold = tasks[task]
            result = _collect(task, run.fold_folder(fold))
            for note in result.notes:
                reporter.note(f"Fold {fold} on {result.machine}: {note}")
            if result.error:
                failed[fold] = f"on {result.machine}: {result.error}"
                reporter.note(f"Fold {fold} failed {failed[fold]}")
            bar.advance()
    if failed:
        names = shorten([str(fold) for fold in sorted(failed)])
        raise ClusterError(
            f"Folds could not be trained. Received: fold {names}, the first {failed[min(failed)]} "
            "The others are kept; repair the cause and run the same command again."
        )


def _submit(
    cluster: RayCluster, run: RunSpec, initial_weights: Mapping[int, Sequence[Path]]
) -> dict[RayTask, int]:
    tasks = {}
    files_of_data = workspace_files(run.workspace) | masked_files(run.workspace, run.prepared)
    for fold, paths in initial_weights.items():
        # Numbered, since files of different folders may have the same name.
        files = {f"{number}/{path.name}": path for number, path in enumerate(paths)}
        task = FoldTask(
            workspace=cluster.put(files_of_data),
            weights=cluster.put(files),
            weight_names=tuple(files),
            recipe=run.recipe.model_dump_json(),
            fold_of=tuple(run.fold_of.tolist()),
            fold=fold,
            run=run.folder.name,
            seed=run.seed,
        )
        tasks[cluster.submit(run_fold_task, task)] = fold
    return tasks


def _collect(task: RayTask, folder: Path) -> TaskResult:
    try:
        result = task.result()
    except ClusterError as error:
        return TaskResult("the cluster", error=str(error))
    if not result.error:
        replace_folder(folder, result.files)
    return result
