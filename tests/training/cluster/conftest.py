"""A cluster of one machine: this process."""

import dataclasses
import functools
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kagglecxr.core.workspace import Workspace
from kagglecxr.training.cluster.file_bundle import Chunk
from kagglecxr.training.cluster.ray_cluster import RayCluster
from kagglecxr.training.cluster.task_messages import ClusterError, TaskEnvironment, TaskResult
from kagglecxr.version import __version__
from tests.conftest import PreparedDemo
from tests.segmentation.conftest import MaskedFolder, make_folder

ENVIRONMENT = TaskEnvironment(__version__, "tensorflow", 2)


def same_chunk(chunk: Chunk) -> Chunk:
    """An object store that is a chunk's own reference."""
    return chunk


@dataclass(eq=False)
class FakeTask:
    """A task that runs when its result is read."""

    work: Callable[[], TaskResult]
    cancelled: bool = False

    def done(self) -> bool:
        return True

    def result(self) -> TaskResult:
        return self.work()

    def cancel(self) -> None:
        self.cancelled = True


class FakeCluster(RayCluster):
    """Runs the tasks one after the other, or returns what `respond` does instead."""

    def __init__(self, respond: Callable[[Any], TaskResult] | None = None) -> None:
        self.ray = SimpleNamespace(put=same_chunk)
        self._bundles = {}
        self._respond = respond
        self.submitted: list[Any] = []

    def submit(self, function: Callable[..., TaskResult], task: Any) -> Any:
        self.submitted.append(task)
        if self._respond:
            return FakeTask(functools.partial(self._respond, task))
        return FakeTask(functools.partial(function, ENVIRONMENT, task, same_chunk))

    def start_actor(self, kind: Callable[..., Any], *args: object) -> Callable[..., Any]:
        actor = kind(*args)
        return lambda method, *args: getattr(actor, method)(*args)

    def as_completed(self, tasks: Iterable[Any]) -> Iterator[Any]:
        return reversed(list(tasks))


@pytest.fixture
def machine_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where this process unpacks bundles; the environment is restored at the end."""
    for name in ("KERAS_BACKEND", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("KAGGLECXR_CLUSTER_FOLDER", str(tmp_path / "machine"))
    return tmp_path / "machine"


@pytest.fixture
def masks(demo: PreparedDemo, tmp_path: Path) -> MaskedFolder:
    """Masked images in a workspace that `load_prepared` reads."""
    root = tmp_path / "images"
    root.mkdir()
    folder = make_folder(demo, root)
    shutil.copytree(demo.workspace.root, tmp_path / "work")
    return dataclasses.replace(folder, workspace=Workspace(tmp_path / "work", "demo"))


def died(task: Any) -> TaskResult:
    """The result of a task whose machine is gone."""
    raise ClusterError("Its process or machine died. Received: nothing. Run it again.")
