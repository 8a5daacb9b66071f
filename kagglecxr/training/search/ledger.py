"""What a study knows of its trials: done already, lost with a killed process, counted."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

# What is written to a trial besides its parameters and score.
OWNER, BEAT, SECONDS, RECIPE, RUN = "owner", "beat", "seconds", "recipe", "run"
ERROR, LOST, SAME_AS = "error", "lost", "same_as"

SILENCE = 300.0
"""Seconds after which the owner of a trial, on another machine, is taken for dead."""
_DRAWS = 100
_DONE = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Owner:
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
        owner = str(trial.user_attrs.get(OWNER, ""))
        path = self.folder / f"{owner}.lock"
        if owner and path.is_file():
            return owner == self.name or _is_locked(path)
        began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
        return now - float(trial.user_attrs.get(BEAT, began)) < SILENCE


def _is_locked(path: Path) -> bool:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def ask(study: Study, distributions: dict[str, BaseDistribution], owner: Owner) -> Trial | None:
    """A trial with parameters that no other has; None where the space seems to hold no more."""
    for _ in range(_DRAWS):
        trial = study.ask(distributions)
        trial.set_user_attr(OWNER, owner.name)
        trial.set_user_attr(BEAT, time.time())
        same = same_before(study, trial)
        if same is None:
            return trial
        trial.set_user_attr(SAME_AS, same)
        study.tell(trial, state=TrialState.FAIL)
    return None


def same_before(study: Study, trial: Trial) -> int | None:
    """The number of a trial with the same parameters that is done, or runs and began before."""
    for other in study.get_trials(deepcopy=False, states=(*_DONE, TrialState.RUNNING)):
        waits = other.state == TrialState.RUNNING and other.number >= trial.number
        if other.number != trial.number and not waits and other.params == trial.params:
            return other.number
    return None


def put_back(study: Study, number: int) -> None:
    """Ends a trial that nobody works at any more, and has its parameters tried again.

    The new one is queued first: a kill between the two leaves a copy, which `ask` leaves out,
    where the other order would lose the trial.
    """
    trial = next(t for t in study.get_trials(deepcopy=False) if t.number == number)
    study.enqueue_trial(trial.params, user_attrs={LOST: number})
    study.tell(number, state=TrialState.FAIL, skip_if_finished=True)


def put_back_lost(study: Study, is_alive: Callable[[FrozenTrial], bool]) -> list[int]:
    """Puts back every running trial whose process has died; their numbers."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    lost = [trial.number for trial in running if not is_alive(trial)]
    for number in lost:
        put_back(study, number)
    return lost


def count(study: Study) -> int:
    """Trials that are done or run; failed ones and copies are not counted."""
    return len(study.get_trials(deepcopy=False, states=(*_DONE, TrialState.RUNNING)))


def seconds_spent(study: Study, but_for: Collection[int] = ()) -> float:
    """Of all trials together, but for those of these numbers."""
    return sum(
        float(trial.user_attrs.get(SECONDS, 0.0))
        for trial in study.get_trials(deepcopy=False)
        if trial.number not in but_for
    )
