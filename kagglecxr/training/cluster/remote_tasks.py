"""The functions that run on a machine of the cluster.

What imports Keras is imported inside of them: it reads the environment, which they set first.
"""

import dataclasses
import functools
import os
import platform
import shutil
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock

from kagglecxr.core.errors import CxrError, CxrWarning, SettingError
from kagglecxr.core.files import read_json
from kagglecxr.core.progress import Reporter, Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.masked_files import read_masked
from kagglecxr.data.prepared import PreparedData, load_prepared
from kagglecxr.models.runtime import setup_keras
from kagglecxr.training.cluster.file_bundle import (
    GetChunk,
    bundle_root,
    masked_folder,
    read_folder,
    unpack,
)
from kagglecxr.training.cluster.task_messages import (
    FoldTask,
    TaskEnvironment,
    TaskResult,
    TrainingTask,
    TrialTask,
)
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.search.pipeline_caches import with_cache
from kagglecxr.training.search.trial_process import TrialSpec
from kagglecxr.version import __version__

_Task = TypeVar("_Task")


class _NoteCollector(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def _catch_errors(
    work: Callable[[_Task, GetChunk, Reporter], TaskResult],
) -> Callable[[TaskEnvironment, _Task, GetChunk], TaskResult]:
    """Returns errors as text, since Ray would change their type, and warnings as notes."""

    @functools.wraps(work)
    def guarded(environment: TaskEnvironment, task: _Task, get: GetChunk) -> TaskResult:
        notes = _NoteCollector()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default", CxrWarning)
            try:
                _set_up_process(environment)
                result = work(task, get, notes)
            except CxrError as error:
                result = TaskResult(platform.node(), error=str(error))
            except Exception as error:  # noqa: BLE001 other folds or trials can still be trained
                traceback.print_exc()
                result = TaskResult(platform.node(), error=f"{type(error).__name__}: {error}")
        for warning in caught:
            if issubclass(warning.category, CxrWarning):
                notes.note(str(warning.message))
            else:
                warnings.showwarning(
                    warning.message, warning.category, warning.filename, warning.lineno
                )
        return dataclasses.replace(result, notes=tuple(notes.texts))

    return guarded


def _set_up_process(environment: TaskEnvironment) -> None:
    if environment.version != __version__:
        raise SettingError(
            f"The machines have different versions of kagglecxr. Received: {__version__} on "
            f"{platform.node()}, {environment.version} where the command runs. Install the same "
            "everywhere."
        )
    os.environ["KERAS_BACKEND"] = environment.backend
    os.environ["OMP_NUM_THREADS"] = str(environment.cores)
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(environment.cores)
    setup_keras()


@_catch_errors
def run_fold_task(task: FoldTask, get: GetChunk, notes: Reporter) -> TaskResult:
    """Trains one fold and returns the files of its folder.

    If this machine began it before, for a command that was killed, the training is resumed.
    """
    from kagglecxr.training.fold import FoldOptions, train_fold
    from kagglecxr.training.run_spec import RunSpec
    from kagglecxr.training.tasks import make_task

    workspace, data, weights = _unpack_files(task, get)
    run = RunSpec(
        task=make_task(data),
        workspace=workspace,
        recipe=Recipe.model_validate_json(task.recipe),
        fold_of=np.array(task.fold_of, np.intp),
        seed=task.seed,
        folder=workspace.runs / task.run,
    )
    folder = run.fold_folder(task.fold)
    options = FoldOptions(weights=lambda: weights)
    with _folder_lock(folder):
        train_fold(run, task.fold, notes, options)
        return _take_files(folder)


@_catch_errors
def run_trial_task(task: TrialTask, get: GetChunk, notes: Reporter) -> TaskResult:
    """Trains one trial and returns the files of its folder and its score."""
    from kagglecxr.training.search.trial import train_trial

    spec = TrialSpec.from_json(task.spec)
    workspace, data, weights = _unpack_files(task, get, spec.cache_key)
    folder = workspace.studies / spec.study / "trials" / spec.folder.name
    spec = dataclasses.replace(
        spec,
        workspace=workspace.root,
        folder=folder,
        recipe=spec.recipe.model_copy(update={"weights": [str(path) for path in weights] or ""}),
    )
    with _folder_lock(folder):
        report = functools.partial(task.report, spec.number)
        result = train_trial(data, workspace, spec, report)
        return dataclasses.replace(_take_files(folder), trial=result)


def _unpack_files(
    task: TrainingTask, get: GetChunk, cache_key: str = ""
) -> tuple[Workspace, PreparedData, Sequence[Path]]:
    """The workspace, the data that the task learns from, and the weights that it starts from."""
    root = unpack(task.workspace, bundle_root(), get)
    competition = Competition.model_validate(read_json(root / "prepare.json")["competition"])
    workspace = Workspace(root, competition.name)
    prepared = load_prepared(competition, workspace)
    masked = masked_folder(root)
    if masked is not None:
        data: PreparedData = read_masked(masked, prepared)
    else:
        data = with_cache(prepared, workspace, cache_key)
    weights = unpack(task.weights, bundle_root(), get)
    return workspace, data, [weights / name for name in task.weight_names]


def _folder_lock(folder: Path) -> FileLock:
    # A lost process may still write to the folder of a task that was restarted.
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.with_name(f"{folder.name}.lock"))


def _take_files(folder: Path) -> TaskResult:
    files = read_folder(folder)
    shutil.rmtree(folder)
    return TaskResult(platform.node(), files)
