"""Runs a search: asks for trials, has them trained, and writes down how they ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import Trial, TrialState

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Bar, Reporter
from kagglecxr.training.search.search_budget import SearchBudget
from kagglecxr.training.search.trial_process import RunningTrial, TrialResult
from kagglecxr.training.search.trial_queue import (
    DEATHS,
    ERROR,
    HEARTBEAT,
    MAX_RETRIES,
    SECONDS,
    WorkerLock,
    count_trials,
    requeue,
    requeue_lost,
    seconds_spent,
    suggest_unique,
)

POLL_SECONDS, HEARTBEAT_SECONDS = 0.2, 30.0
MAX_CONSECUTIVE_FAILURES = 3
_STATES = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED}

StartTrial = Callable[[Trial], RunningTrial]
"""Starts the training of a trial."""


@dataclass
class _ActiveTrial:
    trial: Trial
    process: RunningTrial
    began: float
    beaten: float = field(default=float("-inf"))


def run_search(
    study: Study,
    distributions: dict[str, BaseDistribution],
    budget: SearchBudget,
    owner: WorkerLock,
    begin: StartTrial,
    reporter: Reporter,
) -> None:
    """Goes on with a study until its budget is used up, those of earlier calls counted.

    Trials that a killed search left behind are tried again, and so are, a few times, those whose
    own process died; those that run when the time is up, or when this is interrupted, are put back
    and taken up by the next call.

    Args:
        study: see `kagglecxr.training.search.study.open_study`.
        distributions: what may vary.
        budget: how much it may take.
        owner: this call, as others see it.
        begin: starts a trial.
        reporter: told of every trial.

    Raises:
        SettingError: several trials in a row failed.
    """
    lock = owner.lock()
    with lock:
        for number in requeue_lost(study, lambda trial: owner.is_alive(trial, time.time())):
            reporter.note(f"Trial {number} was left behind by a search that died; it is put back.")
        with reporter.bar(progress_text(study), budget.trials) as bar:
            bar.advance(min(count_trials(study), budget.trials))
            _Search(study, distributions, budget, owner, begin, reporter, bar).run()
    (owner.folder / f"{owner.name}.lock").unlink(missing_ok=True)


@dataclass
class _Search:
    study: Study
    distributions: dict[str, BaseDistribution]
    budget: SearchBudget
    owner: WorkerLock
    begin: StartTrial
    reporter: Reporter
    bar: Bar
    running: list[_ActiveTrial] = field(default_factory=list)
    failures: int = 0
    exhausted: bool = False

    def run(self) -> None:
        try:
            while not self._is_out_of_time():
                self._fill()
                if not self.running:
                    return
                time.sleep(POLL_SECONDS)
                self._look()
        finally:
            self._put_back()

    def _is_out_of_time(self) -> bool:
        if self.budget.timeout is None:
            return False
        now = time.monotonic()
        ours = sum(now - running.began for running in self.running)
        others = seconds_spent(self.study, [running.trial.number for running in self.running])
        return ours + others >= self.budget.timeout

    def _fill(self) -> None:
        while len(self.running) < self.budget.workers and not self.exhausted:
            if count_trials(self.study) >= self.budget.trials:
                return
            trial = suggest_unique(self.study, self.distributions, self.owner)
            if trial is None:
                self.exhausted = True
                self.reporter.note("The space holds no other parameters to try.")
                return
            self.running.append(_ActiveTrial(trial, self.begin(trial), time.monotonic()))

    def _look(self) -> None:
        now = time.monotonic()
        for running in list(self.running):
            outcome = running.process.outcome()
            if outcome is not None:
                self.running.remove(running)
                _record_seconds(running, now)
                self._end(running.trial, outcome)
            elif now - running.beaten > HEARTBEAT_SECONDS:
                running.beaten = now
                _record_seconds(running, now)
                running.trial.set_user_attr(HEARTBEAT, time.time())

    def _end(self, trial: Trial, outcome: TrialResult) -> None:
        # A score that is no number, as an area under a curve of one class, is a failure to Optuna.
        valid = outcome.score is None or outcome.score == outcome.score
        if outcome.state == "died" and self._tries_again(trial, outcome.error):
            return
        if outcome.state in ("failed", "died") or not valid:
            self._fail(trial, outcome.error or "its score is not a number")
            return
        self.failures = 0
        self.study.tell(trial, outcome.score, state=_STATES[outcome.state])
        self.bar.advance()
        self.bar.describe(progress_text(self.study, trial.number))

    def _tries_again(self, trial: Trial, error: str) -> bool:
        deaths = int(trial.user_attrs.get(DEATHS, 0)) + 1
        trial.set_user_attr(DEATHS, deaths)
        if deaths > MAX_RETRIES:
            return False
        self.reporter.note(f"Trial {trial.number} is tried again: {error}")
        requeue(self.study, trial.number)
        return True

    def _fail(self, trial: Trial, error: str) -> None:
        trial.set_user_attr(ERROR, error)
        self.study.tell(trial, state=TrialState.FAIL)
        self.reporter.note(f"Trial {trial.number} failed: {error}")
        self.failures += 1
        if self.failures == MAX_CONSECUTIVE_FAILURES:
            raise SettingError(
                f"{self.failures} trials in a row failed. Received from the last: {error} "
                "Change the recipe or the space so that each of its models can be trained."
            )

    def _put_back(self) -> None:
        now = time.monotonic()
        # All are stopped before any is written down: the storage may be what was lost.
        for running in self.running:
            running.process.stop()
        for running in self.running:
            _record_seconds(running, now)
            requeue(self.study, running.trial.number)


def progress_text(study: Study, last: int | None = None) -> str:
    """What a bar says before its count: the best score so far, and how a last trial ended.

    Args:
        study: as it is now.
        last: the trial's number.
    """
    trials = study.get_trials(deepcopy=False)
    words = ["Trials"]
    if any(trial.state == TrialState.COMPLETE for trial in trials):
        words.append(f"best {study.best_value:.4f}")
    for trial in trials:
        if trial.number == last and trial.state == TrialState.COMPLETE:
            words.append(f"last {trial.value:.4f}")
        elif trial.number == last:
            words.append("last given up")
    return ", ".join(words)


def _record_seconds(running: _ActiveTrial, now: float) -> None:
    running.trial.set_user_attr(SECONDS, round(now - running.began, 1))
