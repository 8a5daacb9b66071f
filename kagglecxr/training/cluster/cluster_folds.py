"""Has the folds of a run trained on the machines of a cluster."""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kagglecxr.core.errors import shorten
from kagglecxr.core.progress import Reporter
from kagglecxr.training.cluster.file_bundle import FileBundle, replace_folder, workspace_files
from kagglecxr.training.cluster.ray_cluster import RayCluster, RayTask, connect
from kagglecxr.training.cluster.remote_tasks import run_fold_task
from kagglecxr.training.cluster.task_messages import ClusterError, FoldTask, TaskResult
from kagglecxr.training.run_spec import FoldExecutor, RunSpec


@contextlib.contextmanager
def fold_executor(cluster: str | None) -> Iterator[FoldExecutor | None]:
    """What trains folds on a cluster while it is connected; None for no cluster.

    Raises:
        CxrError: as `connect` does.
    """
    if cluster is None:
        yield None
        return
    with connect(cluster) as machines:
        yield functools.partial(train_folds, machines)


def train_folds(
    machines: RayCluster,
    run: RunSpec,
    initial_weights: Mapping[int, Sequence[Path]],
    reporter: Reporter,
) -> None:
    """Trains those folds that are not finished, and writes each to the run's folder as it comes.

    Args:
        machines: where.
        run: of which they are folds.
        initial_weights: the weights files that each fold to train starts from.
        reporter: told of every fold.

    Raises:
        ClusterError: folds that failed, by name; the others are finished all the same.
    """
    missing = [fold for fold in run.missing_folds() if fold in initial_weights]
    if not missing:
        return
    failed: dict[int, str] = {}
    with reporter.bar("Folds", len(missing)) as bar:
        tasks = _submit(machines, run, {fold: initial_weights[fold] for fold in missing})
        for task in machines.as_they_end(tasks):
            fold = tasks[task]
            done = _collect(task, run.fold_folder(fold))
            for note in done.notes:
                reporter.note(f"Fold {fold} on {done.machine}: {note}")
            if done.error:
                failed[fold] = f"on {done.machine}: {done.error}"
                reporter.note(f"Fold {fold} failed {failed[fold]}")
            bar.advance()
    if failed:
        names = shorten([str(fold) for fold in sorted(failed)])
        raise ClusterError(
            f"Folds could not be trained. Received: fold {names}, the first {failed[min(failed)]} "
            "The others are kept; mend that and run the same command again."
        )


def number_files(files: Sequence[Path]) -> dict[str, Path]:
    """Files by names that differ even where their own do not, in their order."""
    return {f"{number}/{path.name}": path for number, path in enumerate(files)}


def _submit(
    machines: RayCluster, run: RunSpec, initial_weights: Mapping[int, Sequence[Path]]
) -> dict[RayTask, int]:
    workspace = machines.send(workspace_files(run.workspace))
    sent: dict[tuple[Path, ...], FileBundle] = {}
    tasks = {}
    for fold, paths in initial_weights.items():
        files = tuple(paths)
        if files not in sent:
            sent[files] = machines.send(number_files(files))
        task = FoldTask(
            workspace=workspace,
            weights=sent[files],
            starts=tuple(number_files(files)),
            recipe=run.recipe.model_dump(mode="json"),
            fold_of=tuple(run.fold_of.tolist()),
            fold=fold,
            run=run.folder.name,
            seed=run.seed,
        )
        tasks[machines.begin(run_fold_task, task)] = fold
    return tasks


def _collect(task: RayTask, folder: Path) -> TaskResult:
    """Writes what came back to the fold's folder, if anything did."""
    try:
        done = task.result()
    except ClusterError as error:
        return TaskResult("the cluster", error=str(error))
    if not done.error:
        replace_folder(folder, done.files)
    return done
