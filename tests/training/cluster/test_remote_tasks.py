"""What goes wrong on a machine comes back as a sentence."""

import dataclasses
import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from kagglecxr.core.errors import CxrWarning
from kagglecxr.core.progress import Reporter
from kagglecxr.training.cluster.file_bundle import FileBundle
from kagglecxr.training.cluster.remote_tasks import _returns_errors, run_fold_task
from kagglecxr.training.cluster.task_messages import FoldTask, TaskResult
from tests.training.cluster.conftest import HERE

EMPTY = FileBundle("empty", {})
TASK = FoldTask(EMPTY, EMPTY, (), {}, (0, 1), 0, "run", 0)


def test_another_version_of_the_kit_is_refused(as_machine: Path) -> None:
    done = run_fold_task(dataclasses.replace(HERE, version="0.0.1"), TASK)
    assert "different versions" in done.error
    assert "0.0.1" in done.error
    assert done.files == {}
    assert not as_machine.exists()


def test_what_nobody_thought_of_is_named_too(as_machine: Path, capfd: Any) -> None:
    done = run_fold_task(HERE, TASK)
    assert done.error.startswith("FileNotFoundError: ")
    assert "Traceback" in capfd.readouterr().err


def test_a_task_has_the_threads_it_was_given(as_machine: Path) -> None:
    run_fold_task(dataclasses.replace(HERE, cores=3), TASK)
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_warnings_for_the_user_come_back_as_notes(as_machine: Path) -> None:
    def work(task: None, notes: Reporter) -> TaskResult:
        notes.note("One.")
        warnings.warn("Two.", CxrWarning, stacklevel=1)
        warnings.warn("For who reads the log.", UserWarning, stacklevel=1)
        return TaskResult("box")

    with pytest.warns(UserWarning, match="log") as shown:
        done = _returns_errors(work)(HERE, None)
    assert done == TaskResult("box", notes=("One.", "Two."))
    assert len(shown) == 1
