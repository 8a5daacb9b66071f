"""The loop of a search: begins trials within the budget, waits for them, records how they ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import Trial, TrialState

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Bar, Reporter
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
from kagglecxr.training.training_options import SearchBudget

POLL_SECONDS, HEARTBEAT_SECONDS = 0.2, 30.0
MAX_CONSECUTIVE_FAILURES = 3
_STATES = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED}


@dataclass
class _ActiveTrial:
    trial: Trial
    running: RunningTrial
    began: float
    last_heartbeat: float = float("-inf")

    def record_seconds(self, now: float) -> None:
        self.trial.set_user_attr(SECONDS, round(now - self.began, 1))


@dataclass
class SearchLoop:
    """Runs trials until the budget is used up, what earlier calls used counted.

    Trials that a killed search left behind are tried again, and so are, up to `MAX_RETRIES` times,
    those whose process died. Trials that run when the time is up, or when the search is
    interrupted, are requeued and resumed by the next call.
    """

    study: Study
    distributions: dict[str, BaseDistribution]
    budget: SearchBudget
    worker: WorkerLock
    start: Callable[[Trial], RunningTrial]
    reporter: Reporter
    _active: list[_ActiveTrial] = field(default_factory=list)
    _failures: int = 0
    _exhausted: bool = False

    def run(self) -> None:
        """Runs the trials.

        Raises:
            SettingError: Several trials in a row failed.
        """
        with self.worker.lock():
            is_alive = lambda trial: self.worker.is_alive(trial, time.time())  # noqa: E731
            for number in requeue_lost(self.study, is_alive):
                self.reporter.note(
                    f"Trial {number} was left behind by a search that died; it is requeued."
                )
            with self.reporter.bar(progress_text(self.study), self.budget.trials) as bar:
                bar.advance(min(count_trials(self.study), self.budget.trials))
                try:
                    while not self._is_out_of_time():
                        self._start_trials()
                        if not self._active:
                            break
                        time.sleep(POLL_SECONDS)
                        self._poll(bar)
                finally:
                    self._requeue_active()
        self.worker.path.unlink(missing_ok=True)

    def _is_out_of_time(self) -> bool:
        if self.budget.timeout is None:
            return False
        now = time.monotonic()
        ours = sum(now - active.began for active in self._active)
        others = seconds_spent(self.study, [active.trial.number for active in self._active])
        return ours + others >= self.budget.timeout

    def _start_trials(self) -> None:
        while len(self._active) < self.budget.workers and not self._exhausted:
            if count_trials(self.study) >= self.budget.trials:
                return
            trial = suggest_unique(self.study, self.distributions, self.worker)
            if trial is None:
                self._exhausted = True
                self.reporter.note("The space holds no other parameters to try.")
                return
            self._active.append(_ActiveTrial(trial, self.start(trial), time.monotonic()))

    def _poll(self, bar: Bar) -> None:
        now = time.monotonic()
        for active in list(self._active):
            result = active.running.poll()
            if result is not None:
                self._active.remove(active)
                active.record_seconds(now)
                self._end(active.trial, result, bar)
            elif now - active.last_heartbeat > HEARTBEAT_SECONDS:
                active.last_heartbeat = now
                active.record_seconds(now)
                active.trial.set_user_attr(HEARTBEAT, time.time())

    def _end(self, trial: Trial, result: TrialResult, bar: Bar) -> None:
        # Optuna refuses NaN, which is, for example, the area under a curve of one class.
        valid = result.score is None or result.score == result.score
        if result.state == "died" and self._retry(trial, result.error):
            return
        if result.state in ("failed", "died") or not valid:
            self._fail(trial, result.error or "its score is not a number")
            return
        self._failures = 0
        self.study.tell(trial, result.score, state=_STATES[result.state])
        bar.advance()
        bar.describe(progress_text(self.study, trial.number))

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
        self._failures += 1
        if self._failures == MAX_CONSECUTIVE_FAILURES:
            raise SettingError(
                f"{self._failures} trials in a row failed. Received from the last: {error} "
                "Change the recipe or the space so that each of its models can be trained."
            )

    def _requeue_active(self) -> None:
        now = time.monotonic()
        # All are killed before any is recorded: it may be the storage that was lost.
        for active in self._active:
            active.running.kill()
        for active in self._active:
            active.record_seconds(now)
            requeue(self.study, active.trial.number)


def progress_text(study: Study, last: int | None = None) -> str:
    """Returns the text of the progress bar: the best score, and how trial number `last` ended."""
    trials = study.get_trials(deepcopy=False)
    words = ["Trials"]
    if any(trial.state == TrialState.COMPLETE for trial in trials):
        words.append(f"best {study.best_value:.4f}")
    if last is not None:
        trial = trials[last]
        finished = trial.state == TrialState.COMPLETE
        words.append(f"last {trial.value:.4f}" if finished else "last given up")
    return ", ".join(words)
