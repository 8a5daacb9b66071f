"""A search keeps to its budget whoever used it up, and leaves nothing behind."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import optuna
import pytest
from optuna.trial import Trial, TrialState

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.training.search.search_budget import SearchBudget
from kagglecxr.training.search.search_loop import run_search
from kagglecxr.training.search.space import make_space
from kagglecxr.training.search.study import to_distributions
from kagglecxr.training.search.trial_process import TrialResult
from kagglecxr.training.search.trial_queue import (
    ERROR,
    MAX_RETRIES,
    SECONDS,
    WorkerLock,
    requeue_lost,
)
from tests.training.search.conftest import DISTRIBUTIONS, FakeLauncher, FakeTrial

Run = Callable[[FakeLauncher, SearchBudget], None]


@pytest.fixture
def run(study: optuna.Study, owner: WorkerLock) -> Run:
    return lambda machine, budget: run_search(
        study, DISTRIBUTIONS, budget, owner, machine.begin, Silent()
    )


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.get_trials()]


def test_the_trials_of_earlier_calls_are_counted(run: Run, study: optuna.Study) -> None:
    machine = FakeLauncher()
    run(machine, SearchBudget(trials=3))
    assert [trial.value for trial in study.get_trials()] == [0.0, 0.1, 0.2]
    run(machine, SearchBudget(trials=3))
    run(machine, SearchBudget(trials=2))
    assert len(machine.begun) == 3
    run(machine, SearchBudget(trials=5))
    assert len(machine.begun) == 5


def test_so_many_run_at_once(run: Run) -> None:
    machine = FakeLauncher(looks=3)
    at_once: list[int] = []
    begin = machine.begin

    def watched(trial: Trial) -> FakeTrial:
        process = begin(trial)
        at_once.append(sum(other.looks >= 0 for other in machine.processes))
        return process

    machine.begin = watched  # type: ignore[method-assign]
    run(machine, SearchBudget(trials=7, workers=3))
    assert len(machine.begun) == 7
    assert max(at_once) == 3


def test_a_pruned_trial_counts_and_a_failed_one_does_not(run: Run, study: optuna.Study) -> None:
    endings = {0: TrialResult("pruned"), 1: TrialResult("failed", error="no room")}
    machine = FakeLauncher(lambda trial: endings.get(trial.number, TrialResult("finished", 1.0)))
    run(machine, SearchBudget(trials=3))
    assert states(study) == ["PRUNED", "FAIL", "COMPLETE", "COMPLETE"]
    assert study.get_trials()[1].user_attrs[ERROR] == "no room"


def test_a_score_that_is_no_number_is_a_failure(run: Run, study: optuna.Study) -> None:
    machine = FakeLauncher(
        lambda trial: TrialResult("finished", float("nan") if trial.number == 0 else 1)
    )
    run(machine, SearchBudget(trials=1))
    assert states(study) == ["FAIL", "COMPLETE"]


def test_three_failures_in_a_row_end_the_search(run: Run, study: optuna.Study) -> None:
    machine = FakeLauncher(lambda trial: TrialResult("failed", error="no such weights."))
    with pytest.raises(SettingError, match=r"3 trials in a row.*no such weights\."):
        run(machine, SearchBudget(trials=20))
    assert states(study) == ["FAIL"] * 3


def test_failures_with_a_success_between_them_do_not_end_the_search(
    run: Run, study: optuna.Study
) -> None:
    failed, fine = TrialResult("failed", error="no room"), TrialResult("finished", 0.5)
    machine = FakeLauncher(lambda trial: fine if trial.number % 3 == 2 else failed)
    run(machine, SearchBudget(trials=2))
    assert states(study) == ["FAIL", "FAIL", "COMPLETE"] * 2


def test_a_trial_whose_process_dies_is_tried_again_and_then_no_more(
    run: Run, study: optuna.Study
) -> None:
    poison: list[float] = []

    def ending(trial: Trial) -> TrialResult:
        poison.append(trial.params["learning_rate"])
        died = trial.params["learning_rate"] == poison[0]
        return TrialResult("died", error="killed by 9") if died else TrialResult("finished", 0.5)

    machine = FakeLauncher(ending)
    run(machine, SearchBudget(trials=2))
    assert [rate == poison[0] for rate in poison] == [True] * 3 + [False] * 2
    assert states(study) == ["FAIL"] * 3 + ["COMPLETE"] * 2
    errors = [trial.user_attrs.get(ERROR) for trial in study.get_trials()]
    assert errors == [None, None, "killed by 9", None, None]


def test_a_trial_that_died_once_may_still_finish(run: Run, study: optuna.Study) -> None:
    machine = FakeLauncher(
        lambda trial: (
            TrialResult("finished", 0.5) if trial.number else TrialResult("died", error="killed")
        )
    )
    run(machine, SearchBudget(trials=1))
    assert states(study) == ["FAIL", "COMPLETE"]
    first, second = machine.begun
    assert first.params == second.params


def test_the_deaths_of_a_trial_are_remembered_by_the_next_call(
    run: Run, study: optuna.Study
) -> None:
    for _ in range(MAX_RETRIES):
        machine = FakeLauncher(lambda trial: TrialResult("died", error="killed"))
        begin = machine.begin

        def once(
            trial: Trial,
            machine: FakeLauncher = machine,
            begin: Callable[[Trial], FakeTrial] = begin,
        ) -> FakeTrial:
            if machine.begun:
                raise KeyboardInterrupt
            return begin(trial)

        machine.begin = once  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            run(machine, SearchBudget(trials=1))
        requeue_lost(study, lambda trial: False)
    last = FakeLauncher(
        lambda trial: TrialResult("finished", 0.5) if len(last.begun) > 1 else TrialResult("died")
    )
    run(last, SearchBudget(trials=1))
    assert len({trial.params["learning_rate"] for trial in last.begun}) == 2


def test_parameters_whose_process_died_too_often_are_drawn_no_more(
    study: optuna.Study, owner: WorkerLock
) -> None:
    def ending(trial: Trial) -> TrialResult:
        dies = trial.params["batch_size"] == 16
        return TrialResult("died", error="killed") if dies else TrialResult("finished", 0.5)

    machine = FakeLauncher(ending)
    few = to_distributions(make_space({"batch_size": [8, 16, 32]}))
    run_search(study, few, SearchBudget(trials=20), owner, machine.begin, Silent())
    tried = sorted(trial.params["batch_size"] for trial in machine.begun)
    assert tried == [8, 16, 16, 16, 32]


def test_what_stops_a_search_stops_every_trial(study: optuna.Study, owner: WorkerLock) -> None:
    machine = FakeLauncher(looks=10**9)
    run_out = SearchBudget(trials=2, timeout=0.05, workers=2)

    def lost(*arguments: object, **options: object) -> None:
        raise optuna.exceptions.StorageInternalError

    study.enqueue_trial = lost  # type: ignore[method-assign]
    with pytest.raises(optuna.exceptions.StorageInternalError):
        run_search(study, DISTRIBUTIONS, run_out, owner, machine.begin, Silent())
    assert [process.stopped for process in machine.processes] == [True, True]


@dataclass
class RecordingReporter(Silent):
    """Remembers what bars say."""

    told: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def bar(self, what: str, total: int) -> Iterator["RecordingReporter"]:
        self.told.append(what)
        yield self

    def advance(self, items: int = 1) -> None:
        pass

    def describe(self, text: str) -> None:
        self.told.append(text)


def test_the_bar_says_the_best_and_the_last_score(study: optuna.Study, owner: WorkerLock) -> None:
    scores = {
        0: TrialResult("pruned"),
        1: TrialResult("finished", 0.5),
        2: TrialResult("finished", 0.25),
    }
    machine = FakeLauncher(lambda trial: scores[trial.number])
    listening = RecordingReporter()
    for trials in (2, 3):
        run_search(study, DISTRIBUTIONS, SearchBudget(trials), owner, machine.begin, listening)
    assert listening.told == [
        "Trials",
        "Trials, last given up",
        "Trials, best 0.5000, last 0.5000",
        "Trials, best 0.5000",
        "Trials, best 0.5000, last 0.2500",
    ]


def test_at_the_end_of_the_time_running_trials_are_put_back(run: Run, study: optuna.Study) -> None:
    machine = FakeLauncher(looks=10**9)
    run(machine, SearchBudget(trials=20, timeout=0.05, workers=2))
    assert [process.stopped for process in machine.processes] == [True, True]
    assert states(study) == ["FAIL", "FAIL", "WAITING", "WAITING"]
    before = [trial.params for trial in machine.begun]
    done = FakeLauncher()
    run(done, SearchBudget(trials=2))
    assert [trial.params for trial in done.begun] == before


def test_the_time_of_earlier_calls_is_counted(run: Run, study: optuna.Study) -> None:
    study.add_trial(
        optuna.create_trial(
            params={"learning_rate": 1e-3},
            distributions=DISTRIBUTIONS,
            value=0.1,
            user_attrs={SECONDS: 100.0},
        )
    )
    machine = FakeLauncher()
    run(machine, SearchBudget(trials=20, timeout=100.0))
    assert machine.begun == []
    run(machine, SearchBudget(trials=2, timeout=200.0))
    assert len(machine.begun) == 1


def test_an_interrupted_search_puts_its_trials_back(run: Run, study: optuna.Study) -> None:
    machine = FakeLauncher()

    class Interrupted(FakeTrial):
        def outcome(self) -> TrialResult | None:
            raise KeyboardInterrupt

    process = Interrupted(TrialResult("pruned"))
    machine.begin = lambda trial: process  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(machine, SearchBudget(trials=1))
    assert process.stopped
    assert states(study) == ["FAIL", "WAITING"]


def test_what_a_dead_search_left_running_is_run_first(run: Run, study: optuna.Study) -> None:
    left = study.ask(DISTRIBUTIONS)
    left.set_user_attr("beat", 0.0)
    machine = FakeLauncher()
    run(machine, SearchBudget(trials=2))
    assert states(study) == ["FAIL", "COMPLETE", "COMPLETE"]
    assert machine.begun[0].params == left.params


def test_trials_that_run_elsewhere_are_counted_and_left_alone(
    run: Run, study: optuna.Study
) -> None:
    study.ask(DISTRIBUTIONS)
    run(FakeLauncher(), SearchBudget(trials=2))
    assert states(study) == ["RUNNING", "COMPLETE"]


def test_a_space_that_holds_no_more_ends_the_search(study: optuna.Study, owner: WorkerLock) -> None:
    machine = FakeLauncher()
    few = to_distributions(make_space({"batch_size": [8, 16, 32]}))
    run_search(study, few, SearchBudget(trials=20), owner, machine.begin, Silent())
    assert sorted(trial.params["batch_size"] for trial in machine.begun) == [8, 16, 32]


def test_the_owner_leaves_no_lock(run: Run, owner: WorkerLock) -> None:
    run(FakeLauncher(), SearchBudget(trials=1))
    assert list(owner.folder.iterdir()) == []


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
