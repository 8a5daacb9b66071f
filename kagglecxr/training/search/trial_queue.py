"""The trials of a study as a queue: no trial is lost with its process, none is trained twice."""

import itertools
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

# The user attributes of a trial.
WORKER, HEARTBEAT, SECONDS, RECIPE, RUN = "worker", "heartbeat", "seconds", "recipe", "run"
PIPELINE_TEXT = "pipeline"
ERROR, REQUEUED_FROM, DUPLICATE_OF, DEATHS = "error", "requeued_from", "duplicate_of", "deaths"

HEARTBEAT_TIMEOUT = 300.0
"""Seconds without a heartbeat after which a worker on another machine is taken for dead."""
MAX_RETRIES = 2
"""How often a trial is tried again after its process died, as for want of memory."""
PARAMETERS_TIMEOUT = 10.0
"""Seconds to wait for the parameters of a trial that another machine has just begun."""
_MAX_DRAWS, _DRAWS_BEFORE_ENUMERATION = 100, 5
"""Draws before a space counts as used up, and before a small one is enumerated."""
_SMALL_SPACE = 5000
_DONE = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class WorkerLock:
    """Identifies one call of the search by a file that it keeps locked while it lives."""

    name: str
    folder: Path

    @property
    def path(self) -> Path:
        """The file, in the folder of all workers' files."""
        return self.folder / f"{self.name}.lock"

    def lock(self) -> FileLock:
        """Returns the lock, which the operating system releases however the process ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.path)

    def is_alive(self, trial: FrozenTrial, now: float) -> bool:
        """Returns whether the worker of a running trial lives."""
        worker = WorkerLock(str(trial.user_attrs.get(WORKER, "")), self.folder)
        if worker.name and worker.path.is_file():
            return worker.name == self.name or _is_locked(worker.path)
        began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
        return now - float(trial.user_attrs.get(HEARTBEAT, began)) < HEARTBEAT_TIMEOUT


def _is_locked(path: Path) -> bool:
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def suggest_unique(
    study: Study, distributions: dict[str, BaseDistribution], worker: WorkerLock
) -> Trial | None:
    """Begins a trial with parameters that no other has; None if the space is used up."""
    for draw in range(_MAX_DRAWS):
        left = untried(study, distributions) if draw >= _DRAWS_BEFORE_ENUMERATION else None
        if left == []:
            return None
        if left:
            study.enqueue_trial(left[draw % len(left)])
        trial = study.ask(distributions)
        trial.set_user_attr(WORKER, worker.name)
        trial.set_user_attr(HEARTBEAT, time.time())
        original = find_duplicate(study, trial)
        if original is None:
            return trial
        trial.set_user_attr(DUPLICATE_OF, original)
        study.tell(trial, state=TrialState.FAIL)
    return None


def untried(
    study: Study, distributions: dict[str, BaseDistribution]
) -> list[dict[str, Any]] | None:
    """Lists the parameters of a small space that no trial has; None if the space is large."""
    grids = [_grid(distribution) for distribution in distributions.values()]
    finite = [grid for grid in grids if grid]
    if len(finite) < len(grids) or math.prod(map(len, finite)) > _SMALL_SPACE:
        return None
    taken = [
        trial.params
        for trial in study.get_trials(deepcopy=False)
        if trial.state in (*_DONE, TrialState.RUNNING) or has_used_up_retries(trial)
    ]
    every = [dict(zip(distributions, some, strict=True)) for some in itertools.product(*finite)]
    return [parameters for parameters in every if parameters not in taken]


def _grid(distribution: BaseDistribution) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    if isinstance(distribution, IntDistribution):
        return range(distribution.low, distribution.high + 1, distribution.step)
    return []


def find_duplicate(study: Study, trial: Trial) -> int | None:
    """Finds a trial with the same parameters that is done, or runs and began earlier."""
    deadline = time.monotonic() + PARAMETERS_TIMEOUT
    while True:
        others = [t for t in study.get_trials(deepcopy=False) if _takes_precedence(t, trial)]
        same = next((other.number for other in others if other.params == trial.params), None)
        # A trial of another machine gets its number first and its parameters a moment later.
        complete = all(other.params.keys() == trial.params.keys() for other in others)
        if same is not None or complete or time.monotonic() > deadline:
            return same
        time.sleep(0.05)


def _takes_precedence(other: FrozenTrial, trial: Trial) -> bool:
    if other.state == TrialState.RUNNING:
        return other.number < trial.number
    return other.state in _DONE or has_used_up_retries(other)


def has_used_up_retries(trial: FrozenTrial) -> bool:
    """Returns whether a trial's process died so often that it is not tried again."""
    return trial.state == TrialState.FAIL and int(trial.user_attrs.get(DEATHS, 0)) > MAX_RETRIES


def requeue(study: Study, number: int) -> None:
    """Fails a trial that no worker trains any more, and queues its parameters again.

    Queued first and failed second: a kill between the two leaves a duplicate, which
    `suggest_unique` skips, where the other order would lose the trial.
    """
    trial = next(t for t in study.get_trials(deepcopy=False) if t.number == number)
    deaths = {DEATHS: trial.user_attrs[DEATHS]} if DEATHS in trial.user_attrs else {}
    study.enqueue_trial(trial.params, user_attrs={REQUEUED_FROM: number, **deaths})
    study.tell(number, state=TrialState.FAIL, skip_if_finished=True)


def requeue_lost(study: Study, is_alive: Callable[[FrozenTrial], bool]) -> list[int]:
    """Requeues every running trial whose worker has died, and returns their numbers."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    lost = [trial.number for trial in running if not is_alive(trial)]
    for number in lost:
        requeue(study, number)
    return lost


def count_trials(study: Study) -> int:
    """Counts the trials that are done or running; failed ones and duplicates are not counted."""
    return len(study.get_trials(deepcopy=False, states=(*_DONE, TrialState.RUNNING)))


def seconds_spent(study: Study, excluded: Collection[int] = ()) -> float:
    """Sums the seconds of all trials but those with these numbers."""
    return sum(
        float(trial.user_attrs.get(SECONDS, 0.0))
        for trial in study.get_trials(deepcopy=False)
        if trial.number not in excluded
    )
