"""Errors and warnings of a task come back as text, and it runs in the driver's environment."""

import dataclasses
import os
import warnings
from pathlib import Path

import pytest

from kagglecxr.core.errors import CxrWarning
from kagglecxr.core.progress import Reporter
from kagglecxr.training.cluster.file_bundle import FileBundle, GetChunk
from kagglecxr.training.cluster.remote_tasks import _catch_errors, run_fold_task
from kagglecxr.training.cluster.task_messages import FoldTask, TaskResult
from tests.training.cluster.conftest import ENVIRONMENT, same_chunk

EMPTY = FileBundle("empty", {})
TASK = FoldTask(
    workspace=EMPTY, weights=EMPTY, weight_names=(), recipe="{}", fold_of=(0, 1), fold=0,
    run="run", seed=0,
)  # fmt: skip


def test_another_version_of_the_package_is_refused(machine_folder: Path) -> None:
    result = run_fold_task(dataclasses.replace(ENVIRONMENT, version="0.0.1"), TASK, same_chunk)
    assert "different versions" in result.error
    assert "0.0.1" in result.error
    assert result.files == {}
    assert not machine_folder.exists()


def test_an_unexpected_error_is_returned(
    machine_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = run_fold_task(ENVIRONMENT, TASK, same_chunk)
    assert result.error.startswith("FileNotFoundError: ")
    assert "Traceback" in capfd.readouterr().err


def test_a_task_has_the_threads_it_reserved(machine_folder: Path) -> None:
    run_fold_task(dataclasses.replace(ENVIRONMENT, cores=3), TASK, same_chunk)
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_warnings_for_the_user_come_back_as_notes(machine_folder: Path) -> None:
    def work(task: None, get: GetChunk, notes: Reporter) -> TaskResult:
        notes.note("One.")
        warnings.warn("Two.", CxrWarning, stacklevel=1)
        warnings.warn("For who reads the log.", UserWarning, stacklevel=1)
        return TaskResult("box")

    with pytest.warns(UserWarning, match="log") as shown:
        result = _catch_errors(work)(ENVIRONMENT, None, same_chunk)
    assert result == TaskResult("box", notes=("One.", "Two."))
    assert len(shown) == 1
