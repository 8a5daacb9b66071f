"""The loop of a search: begins trials within the budget, waits for them, records how they ended."""

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
"""Starts the training of a trial of the study."""


@dataclass
class _ActiveTrial:
    trial: Trial
    running: RunningTrial
    began: float
    last_heartbeat: float = float("-inf")

    def record_seconds(self, now: float) -> None:
        self.trial.set_user_attr(SECONDS, round(now - self.began, 1))


def run_search(
    study: Study,
    distributions: dict[str, BaseDistribution],
    budget: SearchBudget,
    worker: WorkerLock,
    start: StartTrial,
    reporter: Reporter,
) -> None:
    """Runs trials until the budget is used up, what earlier calls used counted.

    Trials that a killed search left behind are tried again, and so are, up to `MAX_RETRIES` times,
    those whose process died. Trials that run when the time is up, or when the search is
    interrupted, are requeued and resumed by the next call.

    Args:
        study: See `kagglecxr.training.search.study.open_study`.
        distributions: What varies.
        budget: How much the search may take.
        worker: This call, as others see it.
        start: Starts a trial.
        reporter: Shows the progress.

    Raises:
        SettingError: Several trials in a row failed.
    """
    with worker.lock():
        for number in requeue_lost(study, lambda trial: worker.is_alive(trial, time.time())):
            reporter.note(f"Trial {number} was left behind by a search that died; it is requeued.")
        with reporter.bar(progress_text(study), budget.trials) as bar:
            bar.advance(min(count_trials(study), budget.trials))
            _SearchLoop(study, distributions, budget, worker, start, reporter, bar).run()
    worker.path.unlink(missing_ok=True)


@dataclass
class _SearchLoop:
    study: Study
    distributions: dict[str, BaseDistribution]
    budget: SearchBudget
    worker: WorkerLock
    start: StartTrial
    reporter: Reporter
    bar: Bar
    active: list[_ActiveTrial] = field(default_factory=list)
    failures: int = 0
    exhausted: bool = False

    def run(self) -> None:
        try:
            while not self._is_out_of_time():
                self._start_trials()
                if not self.active:
                    return
                time.sleep(POLL_SECONDS)
                self._poll()
        finally:
            self._requeue_active()

    def _is_out_of_time(self) -> bool:
        if self.budget.timeout is None:
            return False
        now = time.monotonic()
        ours = sum(now - active.began for active in self.active)
        others = seconds_spent(self.study, [active.trial.number for active in self.active])
        return ours + others >= self.budget.timeout

    def _start_trials(self) -> None:
        while len(self.active) < self.budget.workers and not self.exhausted:
            if count_trials(self.study) >= self.budget.trials:
                return
            trial = suggest_unique(self.study, self.distributions, self.worker)
            if trial is None:
                self.exhausted = True
                self.reporter.note("The space holds no other parameters to try.")
                return
            self.active.append(_ActiveTrial(trial, self.start(trial), time.monotonic()))

    def _poll(self) -> None:
        now = time.monotonic()
        for active in list(self.active):
            result = active.running.poll()
            if result is not None:
                self.active.remove(active)
                active.record_seconds(now)
                self._end(active.trial, result)
            elif now - active.last_heartbeat > HEARTBEAT_SECONDS:
                active.last_heartbeat = now
                active.record_seconds(now)
                active.trial.set_user_attr(HEARTBEAT, time.time())

    def _end(self, trial: Trial, result: TrialResult) -> None:
        # Optuna refuses NaN, which is, for example, the area under a curve of one class.
        valid = result.score is None or result.score == result.score
        if result.state == "died" and self._retry(trial, result.error):
            return
        if result.state in ("failed", "died") or not valid:
            self._fail(trial, result.error or "its score is not a number")
            return
        self.failures = 0
        self.study.tell(trial, result.score, state=_STATES[result.state])
        self.bar.advance()
        self.bar.describe(progress_text(self.study, trial.number))

    def _retry(self, trial: Trial, error: str) -> bool:
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

    def _requeue_active(self) -> None:
        now = time.monotonic()
        # All are killed before any is recorded: it may be the storage that was lost.
        for active in self.active:
            active.running.kill()
        for active in self.active:
            active.record_seconds(now)
            requeue(self.study, active.trial.number)


def progress_text(study: Study, last: int | None = None) -> str:
    """Returns the text of the progress bar: the best score so far, and how a trial ended.

    Args:
        study: The study.
        last: The number of the trial that ended last.
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
