"""Has the folds of a run trained on the machines of a cluster."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import shorten
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run import fold_folder
from kagglecxr.core.workspace import Workspace
from kagglecxr.training.cluster.machines import Machines, Task, connected
from kagglecxr.training.cluster.messages import Done, FoldTask
from kagglecxr.training.cluster.parcel import Parcel, place, workspace_files
from kagglecxr.training.cluster.share import ClusterError
from kagglecxr.training.cluster.tasks import train_fold_here
from kagglecxr.training.recipe import Recipe


@dataclass(frozen=True)
class WantedFolds:
    """Folds of one run.

    Attributes:
        workspace: the competition's.
        run: the run's folder.
        recipe: how to train.
        fold_of: the fold of each training image.
        starts: the weights files that each fold starts from, by the fold.
        seed: of the whole run.
    """

    workspace: Workspace
    run: Path
    recipe: Recipe
    fold_of: npt.NDArray[np.intp]
    starts: Mapping[int, Sequence[Path]]
    seed: int


Elsewhere = Callable[[WantedFolds, Reporter], None]
"""Trains folds on other machines."""


@contextlib.contextmanager
def folds_on(cluster: str | None) -> Iterator[Elsewhere | None]:
    """What trains folds on a cluster while it is connected; None for no cluster.

    Raises:
        CxrError: as `connected` does.
    """
    if cluster is None:
        yield None
        return
    with connected(cluster) as machines:
        yield functools.partial(train_folds, machines)


def train_folds(machines: Machines, wanted: WantedFolds, reporter: Reporter) -> None:
    """Trains those folds that are not finished, and writes each to the run's folder as it comes.

    Args:
        machines: where.
        wanted: which folds, and how.
        reporter: told of every fold.

    Raises:
        ClusterError: folds that failed, by name; the others are finished all the same.
    """
    missing = [
        fold
        for fold in wanted.starts
        if not (fold_folder(wanted.run, fold) / "fold.json").is_file()
    ]
    if not missing:
        return
    failed: dict[int, str] = {}
    with reporter.bar("Folds", len(missing)) as bar:
        tasks = _begin(machines, wanted, missing)
        for task in machines.as_they_end(tasks):
            fold = tasks[task]
            done = _bring_home(task, fold_folder(wanted.run, fold))
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


def numbered(files: Sequence[Path]) -> dict[str, Path]:
    """Files by names that differ even where their own do not, in their order."""
    return {f"{number}/{path.name}": path for number, path in enumerate(files)}


def _begin(machines: Machines, wanted: WantedFolds, missing: Sequence[int]) -> dict[Task, int]:
    workspace = machines.send(workspace_files(wanted.workspace))
    sent: dict[tuple[Path, ...], Parcel] = {}
    tasks = {}
    for fold in missing:
        files = tuple(wanted.starts[fold])
        if files not in sent:
            sent[files] = machines.send(numbered(files))
        task = FoldTask(
            workspace=workspace,
            weights=sent[files],
            starts=tuple(numbered(files)),
            recipe=wanted.recipe.model_dump(mode="json"),
            fold_of=tuple(wanted.fold_of.tolist()),
            fold=fold,
            run=wanted.run.name,
            seed=wanted.seed,
        )
        tasks[machines.begin(train_fold_here, task)] = fold
    return tasks


def _bring_home(task: Task, folder: Path) -> Done:
    """Writes what came back to the fold's folder, if anything did."""
    try:
        done = task.result()
    except ClusterError as error:
        return Done("the cluster", error=str(error))
    if not done.error:
        place(folder, done.files)
    return done
