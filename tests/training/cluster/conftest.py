"""Trainings in this very process, as if it were a machine of a cluster."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kagglecxr.training.cluster.file_bundle import FileBundle, pack
from kagglecxr.training.cluster.task_messages import ClusterError, TaskEnvironment, TaskResult
from kagglecxr.version import __version__

HERE = TaskEnvironment(__version__, "tensorflow", 2)


@dataclass(eq=False)
class FakeTask:
    """A task that is done when it is asked."""

    work: Callable[[], TaskResult]
    stopped: bool = False

    def has_ended(self) -> bool:
        return True

    def result(self) -> TaskResult:
        return self.work()

    def stop(self) -> None:
        self.stopped = True


@dataclass
class FakeCluster:
    """Does what is begun on it one after the other, or says what it is told to."""

    say: Callable[[Any], TaskResult] | None = None
    begun: list[Any] = field(default_factory=list)

    def send(self, files: Mapping[str, Path]) -> FileBundle:
        return pack(files, lambda piece: piece)

    def begin(self, work: Callable[[TaskEnvironment, Any], TaskResult], task: Any) -> FakeTask:
        self.begun.append(task)
        say = self.say
        return FakeTask(lambda: say(task) if say else work(HERE, task))

    def here(self, kind: Callable[..., Any], *told: Any) -> Any:
        return kind(*told)

    def as_they_end(self, tasks: Iterable[Any]) -> Iterator[Any]:
        return reversed(list(tasks))


@pytest.fixture
def as_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process has a machine's folder, and store, of its own."""
    for name in ("KERAS_BACKEND", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("KAGGLECXR_CLUSTER_FOLDER", str(tmp_path / "machine"))
    monkeypatch.setattr("kagglecxr.training.cluster.ray_cluster.fetch", lambda piece: piece)
    return tmp_path / "machine"


def died(task: Any) -> TaskResult:
    """What a task says whose machine is gone."""
    raise ClusterError("Its process or machine died. Received: nothing. Run it again.")
