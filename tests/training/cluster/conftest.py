"""Trainings in this very process, as if it were a machine of a cluster."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kagglecxr.training.cluster.messages import Done, Setting
from kagglecxr.training.cluster.parcel import Parcel, pack
from kagglecxr.training.cluster.share import ClusterError
from kagglecxr.version import __version__

HERE = Setting(__version__, "tensorflow", 2)


@dataclass(eq=False)
class Pretended:
    """A task that is done when it is asked."""

    work: Callable[[], Done]
    stopped: bool = False

    def has_ended(self) -> bool:
        return True

    def result(self) -> Done:
        return self.work()

    def stop(self) -> None:
        self.stopped = True


@dataclass
class OneMachine:
    """Does what is begun on it one after the other, or says what it is told to."""

    say: Callable[[Any], Done] | None = None
    begun: list[Any] = field(default_factory=list)

    def send(self, files: Mapping[str, Path]) -> Parcel:
        return pack(files, lambda piece: piece)

    def begin(self, work: Callable[[Setting, Any], Done], task: Any) -> Pretended:
        self.begun.append(task)
        say = self.say
        return Pretended(lambda: say(task) if say else work(HERE, task))

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
    monkeypatch.setattr("kagglecxr.training.cluster.machines.fetch", lambda piece: piece)
    return tmp_path / "machine"


def died(task: Any) -> Done:
    """What a task says whose machine is gone."""
    raise ClusterError("Its process or machine died. Received: nothing. Run it again.")
