"""What is done on a machine of the cluster.

The top of this module is light, and what is heavy is imported once the environment is set: Keras
and TensorFlow read it when they start.
"""

import contextlib
import dataclasses
import functools
import os
import platform
import shutil
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from kagglecxr.core.errors import CxrError, CxrWarning, SettingError
from kagglecxr.core.progress import Reporter, Silent
from kagglecxr.training.cluster.file_bundle import FileBundle, bundle_root, read_folder, unpack
from kagglecxr.training.cluster.task_messages import (
    FoldTask,
    TaskEnvironment,
    TaskResult,
    TrialTask,
)
from kagglecxr.version import __version__


class _NoteCollector(Silent):
    """Keeps notes, until they are read elsewhere."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


_Task = TypeVar("_Task")
_Work = Callable[[_Task, Reporter], TaskResult]


def _returns_errors(work: _Work[_Task]) -> Callable[[TaskEnvironment, _Task], TaskResult]:
    """Work that answers a mistake with its sentence: an exception would lose its type on the way.

    Warnings for the user come back as notes.
    """

    @functools.wraps(work)
    def guarded(setting: TaskEnvironment, task: _Task) -> TaskResult:
        notes = _NoteCollector()
        try:
            _set_up_process(setting)
            with _warnings_as_notes(notes):
                done = work(task, notes)
        except CxrError as error:
            done = TaskResult(platform.node(), error=str(error))
        except Exception as error:  # noqa: BLE001 what breaks one leaves the others to be trained
            traceback.print_exc()
            done = TaskResult(platform.node(), error=f"{type(error).__name__}: {error}")
        return dataclasses.replace(done, notes=tuple(notes.texts))

    return guarded


@contextlib.contextmanager
def _warnings_as_notes(notes: _NoteCollector) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("default", CxrWarning)
        show = warnings.showwarning

        def tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, CxrWarning):
                notes.note(str(message))
            else:
                show(message, category, *place, **more)

        warnings.showwarning = tell
        yield


def _set_up_process(setting: TaskEnvironment) -> None:
    """Makes this process like the one the task comes from.

    Raises:
        SettingError: the kit here has another version.
    """
    if setting.version != __version__:
        raise SettingError(
            f"The machines have different versions of kagglecxr. Received: {__version__} on "
            f"{platform.node()}, {setting.version} where the command runs. Install the same "
            "everywhere."
        )
    os.environ["KERAS_BACKEND"] = setting.backend
    os.environ["OMP_NUM_THREADS"] = str(setting.cores)
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(setting.cores)
    from kagglecxr.models.runtime import setup_keras

    setup_keras()


@_returns_errors
def run_fold_task(task: FoldTask, notes: Reporter) -> TaskResult:
    """Trains one fold and gives its folder's files.

    A machine that has begun with it before, for a command that was killed, goes on with it.
    """
    import numpy as np

    from kagglecxr.training.cluster.ray_cluster import fetch
    from kagglecxr.training.fold import FoldOptions, train_fold
    from kagglecxr.training.recipe import Recipe
    from kagglecxr.training.run_spec import RunSpec
    from kagglecxr.training.task import make_task

    workspace, prepared = _open_workspace(task.workspace)
    weights = unpack(task.weights, bundle_root(), fetch)
    run = RunSpec(
        make_task(prepared),
        workspace,
        Recipe.model_validate(task.recipe),
        np.array(task.fold_of, np.intp),
        task.seed,
        workspace.runs / task.run,
    )
    folder = run.fold_folder(task.fold)
    options = FoldOptions(weights=lambda: [weights / name for name in task.starts])
    with _folder_lock(folder):
        train_fold(run, task.fold, notes, options)
        return _take_files(folder)


@_returns_errors
def run_trial_task(task: TrialTask, notes: Reporter) -> TaskResult:
    """Trains one trial, and gives its folder's files and how it ended."""
    from kagglecxr.training.cluster.cluster_trials import RemoteTrial
    from kagglecxr.training.cluster.ray_cluster import fetch
    from kagglecxr.training.search.trial import train_trial
    from kagglecxr.training.search.trial_process import TrialSpec

    workspace, prepared = _open_workspace(task.workspace)
    weights = unpack(task.weights, bundle_root(), fetch)
    asked = TrialSpec.of_line(task.job)
    folder = workspace.studies / asked.study / "trials" / Path(asked.folder).name
    starts = [str(weights / name) for name in task.starts]
    job = dataclasses.replace(
        asked,
        work=str(workspace.root),
        folder=str(folder),
        recipe={**asked.recipe, "weights": starts or ""},
    )
    with _folder_lock(folder):
        trial: Any = RemoteTrial(task.desk, job.number)
        outcome = train_trial(prepared, workspace, job, trial)
        return dataclasses.replace(_take_files(folder), answer=dataclasses.asdict(outcome))


def _open_workspace(parcel: FileBundle) -> tuple[Any, Any]:
    """A workspace on this machine, and the data prepared in it."""
    from kagglecxr.core.files import read_json
    from kagglecxr.core.workspace import Workspace
    from kagglecxr.data.competition import Competition
    from kagglecxr.data.prepare import load_prepared
    from kagglecxr.training.cluster.ray_cluster import fetch

    root = unpack(parcel, bundle_root(), fetch)
    competition = Competition.model_validate(read_json(root / "prepare.json")["competition"])
    workspace = Workspace(root, competition.name)
    return workspace, load_prepared(competition, workspace)


def _folder_lock(folder: Path) -> FileLock:
    """Keeps a task that was begun again from the folder its lost process may still write to."""
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.with_name(f"{folder.name}.lock"))


def _take_files(folder: Path) -> TaskResult:
    files = read_folder(folder)
    shutil.rmtree(folder)
    return TaskResult(platform.node(), files)
