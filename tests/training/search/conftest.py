"""A study in memory, and trials that train nothing."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import Trial

from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.search.space import make_space
from kagglecxr.training.search.study import to_distributions
from kagglecxr.training.search.trial_process import TrialResult, TrialSpec
from kagglecxr.training.search.trial_queue import WorkerLock

SPACE = make_space({"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}})
DISTRIBUTIONS = to_distributions(SPACE)


def make_spec(folder: Path, **changes: Any) -> TrialSpec:
    """A trial of the demo in a folder."""
    spec = TrialSpec(
        competition="demo", workspace=folder, study="one", storage="", number=0,
        recipe=make_recipe({}), folder=folder, folds=1, seed=0,
    )  # fmt: skip
    return dataclasses.replace(spec, **changes)


@dataclass
class FakeTrial:
    """A trial that ends after some polls."""

    result: TrialResult
    polls: int = 0
    killed: bool = False

    def poll(self) -> TrialResult | None:
        self.polls -= 1
        return None if self.polls >= 0 else self.result

    def kill(self) -> None:
        self.killed = True


def _rising(trial: Trial) -> TrialResult:
    return TrialResult("finished", trial.number / 10)


@dataclass
class FakeLauncher:
    """Starts fake trials, and remembers them."""

    result: Callable[[Trial], TrialResult] = _rising
    polls: int = 0
    started: list[Trial] = field(default_factory=list)
    running: list[FakeTrial] = field(default_factory=list)

    def start(self, trial: Trial) -> FakeTrial:
        self.started.append(trial)
        self.running.append(FakeTrial(self.result(trial), self.polls))
        return self.running[-1]


def never(spec: TrialSpec) -> FakeTrial:
    """The launcher of a search that launches nothing."""
    raise AssertionError(spec)


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))


@pytest.fixture
def worker(tmp_path: Path) -> WorkerLock:
    return WorkerLock("here-1", tmp_path / "workers")


@pytest.fixture(autouse=True)
def _poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kagglecxr.training.search.search_loop.POLL_SECONDS", 0.001)
