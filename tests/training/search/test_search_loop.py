"""A search keeps to its budget, what earlier calls used counted, and leaves nothing behind."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import optuna
import pytest
from optuna.trial import Trial, TrialState

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.training.search.search_loop import SearchLoop
from kagglecxr.training.search.space import make_space
from kagglecxr.training.search.study import to_distributions
from kagglecxr.training.search.trial_process import TrialResult
from kagglecxr.training.search.trial_queue import (
    ERROR,
    HEARTBEAT,
    MAX_RETRIES,
    SECONDS,
    WorkerLock,
    requeue_lost,
)
from kagglecxr.training.training_options import SearchBudget
from tests.training.search.conftest import DISTRIBUTIONS, FakeLauncher, FakeTrial

Run = Callable[[FakeLauncher, SearchBudget], None]


@pytest.fixture
def run(study: optuna.Study, worker: WorkerLock) -> Run:
    return lambda launcher, budget: SearchLoop(
        study, DISTRIBUTIONS, budget, worker, launcher.start, Silent()
    ).run()


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.get_trials()]


def test_the_trials_of_earlier_calls_are_counted(run: Run, study: optuna.Study) -> None:
    launcher = FakeLauncher()
    run(launcher, SearchBudget(trials=3))
    assert [trial.value for trial in study.get_trials()] == [0.0, 0.1, 0.2]
    run(launcher, SearchBudget(trials=3))
    run(launcher, SearchBudget(trials=2))
    assert len(launcher.started) == 3
    run(launcher, SearchBudget(trials=5))
    assert len(launcher.started) == 5


def test_so_many_run_at_once(run: Run) -> None:
    launcher = FakeLauncher(polls=3)
    at_once: list[int] = []
    start = launcher.start

    def watched(trial: Trial) -> FakeTrial:
        fake = start(trial)
        at_once.append(sum(other.polls >= 0 for other in launcher.running))
        return fake

    launcher.start = watched  # type: ignore[method-assign]
    run(launcher, SearchBudget(trials=7, workers=3))
    assert len(launcher.started) == 7
    assert max(at_once) == 3


def test_a_pruned_trial_counts_and_a_failed_one_does_not(run: Run, study: optuna.Study) -> None:
    results = {0: TrialResult("pruned"), 1: TrialResult("failed", error="no room")}
    launcher = FakeLauncher(lambda trial: results.get(trial.number, TrialResult("finished", 1.0)))
    run(launcher, SearchBudget(trials=3))
    assert states(study) == ["PRUNED", "FAIL", "COMPLETE", "COMPLETE"]
    assert study.get_trials()[1].user_attrs[ERROR] == "no room"


def test_a_score_that_is_no_number_is_a_failure(run: Run, study: optuna.Study) -> None:
    launcher = FakeLauncher(
        lambda trial: TrialResult("finished", float("nan") if trial.number == 0 else 1)
    )
    run(launcher, SearchBudget(trials=1))
    assert states(study) == ["FAIL", "COMPLETE"]


def test_three_failures_in_a_row_end_the_search(run: Run, study: optuna.Study) -> None:
    launcher = FakeLauncher(lambda trial: TrialResult("failed", error="no such weights."))
    with pytest.raises(SettingError, match=r"3 trials in a row.*no such weights\."):
        run(launcher, SearchBudget(trials=20))
    assert states(study) == ["FAIL"] * 3


def test_failures_with_a_success_between_them_do_not_end_the_search(
    run: Run, study: optuna.Study
) -> None:
    failed, fine = TrialResult("failed", error="no room"), TrialResult("finished", 0.5)
    launcher = FakeLauncher(lambda trial: fine if trial.number % 3 == 2 else failed)
    run(launcher, SearchBudget(trials=2))
    assert states(study) == ["FAIL", "FAIL", "COMPLETE"] * 2


def test_a_trial_whose_process_dies_is_tried_again_and_then_no_more(
    run: Run, study: optuna.Study
) -> None:
    poison: list[float] = []

    def result(trial: Trial) -> TrialResult:
        poison.append(trial.params["learning_rate"])
        died = trial.params["learning_rate"] == poison[0]
        return TrialResult("died", error="killed by 9") if died else TrialResult("finished", 0.5)

    launcher = FakeLauncher(result)
    run(launcher, SearchBudget(trials=2))
    assert [rate == poison[0] for rate in poison] == [True] * 3 + [False] * 2
    assert states(study) == ["FAIL"] * 3 + ["COMPLETE"] * 2
    errors = [trial.user_attrs.get(ERROR) for trial in study.get_trials()]
    assert errors == [None, None, "killed by 9", None, None]


def test_a_trial_that_died_once_may_still_finish(run: Run, study: optuna.Study) -> None:
    launcher = FakeLauncher(
        lambda trial: (
            TrialResult("finished", 0.5) if trial.number else TrialResult("died", error="killed")
        )
    )
    run(launcher, SearchBudget(trials=1))
    assert states(study) == ["FAIL", "COMPLETE"]
    first, second = launcher.started
    assert first.params == second.params


def test_the_deaths_of_a_trial_are_remembered_by_the_next_call(
    run: Run, study: optuna.Study
) -> None:
    for _ in range(MAX_RETRIES):
        launcher = FakeLauncher(lambda trial: TrialResult("died", error="killed"))
        start = launcher.start

        def once(
            trial: Trial,
            launcher: FakeLauncher = launcher,
            start: Callable[[Trial], FakeTrial] = start,
        ) -> FakeTrial:
            if launcher.started:
                raise KeyboardInterrupt
            return start(trial)

        launcher.start = once  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            run(launcher, SearchBudget(trials=1))
        requeue_lost(study, lambda trial: False)
    last = FakeLauncher(
        lambda trial: TrialResult("finished", 0.5) if len(last.started) > 1 else TrialResult("died")
    )
    run(last, SearchBudget(trials=1))
    assert len({trial.params["learning_rate"] for trial in last.started}) == 2


def test_parameters_whose_process_died_too_often_are_drawn_no_more(
    study: optuna.Study, worker: WorkerLock
) -> None:
    def result(trial: Trial) -> TrialResult:
        dies = trial.params["batch_size"] == 16
        return TrialResult("died", error="killed") if dies else TrialResult("finished", 0.5)

    launcher = FakeLauncher(result)
    few = to_distributions(make_space({"batch_size": [8, 16, 32]}))
    SearchLoop(study, few, SearchBudget(trials=20), worker, launcher.start, Silent()).run()
    tried = sorted(trial.params["batch_size"] for trial in launcher.started)
    assert tried == [8, 16, 16, 16, 32]


def test_an_error_of_the_search_kills_every_trial(study: optuna.Study, worker: WorkerLock) -> None:
    launcher = FakeLauncher(polls=10**9)
    run_out = SearchBudget(trials=2, timeout=0.05, workers=2)

    def lost(*arguments: object, **options: object) -> None:
        raise optuna.exceptions.StorageInternalError

    study.enqueue_trial = lost  # type: ignore[method-assign]
    with pytest.raises(optuna.exceptions.StorageInternalError):
        SearchLoop(study, DISTRIBUTIONS, run_out, worker, launcher.start, Silent()).run()
    assert [fake.killed for fake in launcher.running] == [True, True]


@dataclass
class RecordingReporter(Silent):
    """Records the texts of bars."""

    texts: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def bar(self, what: str, total: int) -> Iterator["RecordingReporter"]:
        self.texts.append(what)
        yield self

    def advance(self, items: int = 1) -> None:
        pass

    def describe(self, text: str) -> None:
        self.texts.append(text)


def test_the_bar_says_the_best_and_the_last_score(study: optuna.Study, worker: WorkerLock) -> None:
    scores = {
        0: TrialResult("pruned"),
        1: TrialResult("finished", 0.5),
        2: TrialResult("finished", 0.25),
    }
    launcher = FakeLauncher(lambda trial: scores[trial.number])
    reporter = RecordingReporter()
    for trials in (2, 3):
        SearchLoop(
            study, DISTRIBUTIONS, SearchBudget(trials), worker, launcher.start, reporter
        ).run()
    assert reporter.texts == [
        "Trials",
        "Trials, last given up",
        "Trials, best 0.5000, last 0.5000",
        "Trials, best 0.5000",
        "Trials, best 0.5000, last 0.2500",
    ]


def test_at_the_end_of_the_time_running_trials_are_requeued(run: Run, study: optuna.Study) -> None:
    launcher = FakeLauncher(polls=10**9)
    run(launcher, SearchBudget(trials=20, timeout=0.05, workers=2))
    assert [fake.killed for fake in launcher.running] == [True, True]
    assert states(study) == ["FAIL", "FAIL", "WAITING", "WAITING"]
    before = [trial.params for trial in launcher.started]
    done = FakeLauncher()
    run(done, SearchBudget(trials=2))
    assert [trial.params for trial in done.started] == before


def test_the_time_of_earlier_calls_is_counted(run: Run, study: optuna.Study) -> None:
    study.add_trial(
        optuna.create_trial(
            params={"learning_rate": 1e-3},
            distributions=DISTRIBUTIONS,
            value=0.1,
            user_attrs={SECONDS: 100.0},
        )
    )
    launcher = FakeLauncher()
    run(launcher, SearchBudget(trials=20, timeout=100.0))
    assert launcher.started == []
    run(launcher, SearchBudget(trials=2, timeout=200.0))
    assert len(launcher.started) == 1


def test_an_interrupted_search_requeues_its_trials(run: Run, study: optuna.Study) -> None:
    launcher = FakeLauncher()

    class Interrupted(FakeTrial):
        def poll(self) -> TrialResult | None:
            raise KeyboardInterrupt

    process = Interrupted(TrialResult("pruned"))
    launcher.start = lambda trial: process  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(launcher, SearchBudget(trials=1))
    assert process.killed
    assert states(study) == ["FAIL", "WAITING"]


def test_what_a_dead_search_left_running_is_run_first(run: Run, study: optuna.Study) -> None:
    left = study.ask(DISTRIBUTIONS)
    left.set_user_attr(HEARTBEAT, 0.0)
    launcher = FakeLauncher()
    run(launcher, SearchBudget(trials=2))
    assert states(study) == ["FAIL", "COMPLETE", "COMPLETE"]
    assert launcher.started[0].params == left.params


def test_trials_that_run_elsewhere_are_counted_and_left_alone(
    run: Run, study: optuna.Study
) -> None:
    study.ask(DISTRIBUTIONS)
    run(FakeLauncher(), SearchBudget(trials=2))
    assert states(study) == ["RUNNING", "COMPLETE"]


def test_a_space_that_holds_no_more_ends_the_search(
    study: optuna.Study, worker: WorkerLock
) -> None:
    launcher = FakeLauncher()
    few = to_distributions(make_space({"batch_size": [8, 16, 32]}))
    SearchLoop(study, few, SearchBudget(trials=20), worker, launcher.start, Silent()).run()
    assert sorted(trial.params["batch_size"] for trial in launcher.started) == [8, 16, 32]


def test_the_worker_leaves_no_lock(run: Run, worker: WorkerLock) -> None:
    run(FakeLauncher(), SearchBudget(trials=1))
    assert list(worker.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (SearchBudget(trials=0), "--trials.*0"),
        (SearchBudget(workers=-1), "--workers.*-1"),
        (SearchBudget(trial_folds=0), "--trial-folds.*0"),
        (SearchBudget(trial_folds=4), "--trial-folds 4 of 3"),
        (SearchBudget(timeout=0.0), "--timeout"),
        (SearchBudget(timeout=float("nan")), "--timeout"),
    ],
)
def test_a_budget_that_cannot_be_is_named(budget: SearchBudget, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        budget.check(folds=3)


def test_no_state_of_a_trial_is_forgotten() -> None:
    assert {state.name for state in TrialState} == {
        "COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING",
    }  # fmt: skip
