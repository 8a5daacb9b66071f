"""What a study knows of its trials: done already, lost with a killed process, counted."""

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

# What is written to a trial besides its parameters and score.
WORKER, HEARTBEAT, SECONDS, RECIPE, RUN = "owner", "beat", "seconds", "recipe", "run"
PIPELINE = "pipeline"
ERROR, REQUEUED_FROM, DUPLICATE_OF, DEATHS = "error", "lost", "same_as", "deaths"

HEARTBEAT_TIMEOUT = 300.0
"""Seconds after which the owner of a trial, on another machine, is taken for dead."""
MAX_RETRIES = 2
"""Times that a trial is tried again whose own process died, as by want of memory."""
PARAMETERS_TIMEOUT = 10.0
"""Seconds within which a trial that was asked for elsewhere has its parameters."""
_MAX_DRAWS, _DRAWS_BEFORE_ENUMERATION = 100, 5
"""Draws before a space is taken for used up, and those before a small one is looked through."""
_SMALL_SPACE = 5000
_DONE = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class WorkerLock:
    """One call of the search, known to others by a file that it keeps locked while it lives.

    Attributes:
        name: of the file, and of the owner in the study.
        folder: of all owners' files.
    """

    name: str
    folder: Path

    def lock(self) -> FileLock:
        """The lock that the operating system opens when the process dies, however it does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / f"{self.name}.lock")

    def is_alive(self, trial: FrozenTrial, now: float) -> bool:
        """Whether somebody still works at a running trial."""
        owner = str(trial.user_attrs.get(WORKER, ""))
        path = self.folder / f"{owner}.lock"
        if owner and path.is_file():
            return owner == self.name or _is_locked(path)
        began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
        return now - float(trial.user_attrs.get(HEARTBEAT, began)) < HEARTBEAT_TIMEOUT


def _is_locked(path: Path) -> bool:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def suggest_unique(
    study: Study, distributions: dict[str, BaseDistribution], owner: WorkerLock
) -> Trial | None:
    """A trial with parameters that no other has; None where the space seems to hold no more."""
    for draw in range(_MAX_DRAWS):
        left = untried(study, distributions) if draw >= _DRAWS_BEFORE_ENUMERATION else None
        if left == []:
            return None
        if left:
            study.enqueue_trial(left[draw % len(left)])
        trial = study.ask(distributions)
        trial.set_user_attr(WORKER, owner.name)
        trial.set_user_attr(HEARTBEAT, time.time())
        same = find_duplicate(study, trial)
        if same is None:
            return trial
        trial.set_user_attr(DUPLICATE_OF, same)
        study.tell(trial, state=TrialState.FAIL)
    return None


def untried(
    study: Study, distributions: dict[str, BaseDistribution]
) -> list[dict[str, Any]] | None:
    """All parameters of a small space that no trial has; None where a space has no end."""
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
    """The number of a trial with the same parameters that is done, or runs and began before."""
    deadline = time.monotonic() + PARAMETERS_TIMEOUT
    while True:
        others = [t for t in study.get_trials(deepcopy=False) if _takes_precedence(t, trial)]
        same = next((other.number for other in others if other.params == trial.params), None)
        # Another machine has its trial numbered first, and names the parameters afterwards.
        named = all(other.params.keys() == trial.params.keys() for other in others)
        if same is not None or named or time.monotonic() > deadline:
            return same
        time.sleep(0.05)


def _takes_precedence(other: FrozenTrial, trial: Trial) -> bool:
    if other.state == TrialState.RUNNING:
        return other.number < trial.number
    return other.state in _DONE or has_used_up_retries(other)


def has_used_up_retries(trial: FrozenTrial) -> bool:
    """Whether a trial's own process died so often that it is tried no more."""
    return trial.state == TrialState.FAIL and int(trial.user_attrs.get(DEATHS, 0)) > MAX_RETRIES


def requeue(study: Study, number: int) -> None:
    """Ends a trial that nobody works at any more, and has its parameters tried again.

    The new one is queued first: a kill between the two leaves a copy, which `suggest_unique` leaves
    out, where the other order would lose the trial.
    """
    trial = next(t for t in study.get_trials(deepcopy=False) if t.number == number)
    kept = {DEATHS: trial.user_attrs[DEATHS]} if DEATHS in trial.user_attrs else {}
    study.enqueue_trial(trial.params, user_attrs={REQUEUED_FROM: number, **kept})
    study.tell(number, state=TrialState.FAIL, skip_if_finished=True)


def requeue_lost(study: Study, is_alive: Callable[[FrozenTrial], bool]) -> list[int]:
    """Puts back every running trial whose process has died; their numbers."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    lost = [trial.number for trial in running if not is_alive(trial)]
    for number in lost:
        requeue(study, number)
    return lost


def count_trials(study: Study) -> int:
    """Trials that are done or run; failed ones and copies are not counted."""
    return len(study.get_trials(deepcopy=False, states=(*_DONE, TrialState.RUNNING)))


def seconds_spent(study: Study, but_for: Collection[int] = ()) -> float:
    """Of all trials together, but for those of these numbers."""
    return sum(
        float(trial.user_attrs.get(SECONDS, 0.0))
        for trial in study.get_trials(deepcopy=False)
        if trial.number not in but_for
    )
