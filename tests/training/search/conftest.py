"""A study in memory, and trials that train nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import pytest
from optuna.trial import Trial

from kagglecxr.training.search.space import make_space
from kagglecxr.training.search.study import to_distributions
from kagglecxr.training.search.trial_process import TrialResult
from kagglecxr.training.search.trial_queue import WorkerLock

SPACE = make_space({"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}})
DISTRIBUTIONS = to_distributions(SPACE)


@dataclass
class FakeTrial:
    """A trial that ends, after some looks at it, as it is told to."""

    ending: TrialResult
    looks: int = 0
    stopped: bool = False

    def outcome(self) -> TrialResult | None:
        self.looks -= 1
        return None if self.looks >= 0 else self.ending

    def stop(self) -> None:
        self.stopped = True


@dataclass
class FakeLauncher:
    """Starts pretended trials, and remembers them."""

    ending: Callable[[Trial], TrialResult] = lambda trial: TrialResult(
        "finished", trial.number / 10
    )
    looks: int = 0
    begun: list[Trial] = field(default_factory=list)
    processes: list[FakeTrial] = field(default_factory=list)

    def begin(self, trial: Trial) -> FakeTrial:
        self.begun.append(trial)
        self.processes.append(FakeTrial(self.ending(trial), self.looks))
        return self.processes[-1]


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))


@pytest.fixture
def owner(tmp_path: Path) -> WorkerLock:
    return WorkerLock("here-1", tmp_path / "owners")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kagglecxr.training.search.search_loop.POLL_SECONDS", 0.001)
