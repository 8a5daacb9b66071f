"""A search keeps to its budget whoever used it up, and leaves nothing behind."""

from collections.abc import Callable

import optuna
import pytest
from optuna.trial import Trial, TrialState

from kagglecxr.core.errors import SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.training.search.budget import Budget
from kagglecxr.training.search.job import Outcome
from kagglecxr.training.search.ledger import ERROR, SECONDS, Owner
from kagglecxr.training.search.running import run_search
from kagglecxr.training.search.space import make_space
from kagglecxr.training.search.study import distributions
from tests.training.search.conftest import DISTRIBUTIONS, Machine, Pretended

Run = Callable[[Machine, Budget], None]


@pytest.fixture
def run(study: optuna.Study, owner: Owner) -> Run:
    return lambda machine, budget: run_search(
        study, DISTRIBUTIONS, budget, owner, machine.begin, Silent()
    )


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.get_trials()]


def test_the_trials_of_earlier_calls_are_counted(run: Run, study: optuna.Study) -> None:
    machine = Machine()
    run(machine, Budget(trials=3))
    assert [trial.value for trial in study.get_trials()] == [0.0, 0.1, 0.2]
    run(machine, Budget(trials=3))
    run(machine, Budget(trials=2))
    assert len(machine.begun) == 3
    run(machine, Budget(trials=5))
    assert len(machine.begun) == 5


def test_so_many_run_at_once(run: Run) -> None:
    machine = Machine(looks=3)
    at_once: list[int] = []
    begin = machine.begin

    def watched(trial: Trial) -> Pretended:
        process = begin(trial)
        at_once.append(sum(other.looks >= 0 for other in machine.processes))
        return process

    machine.begin = watched  # type: ignore[method-assign]
    run(machine, Budget(trials=7, workers=3))
    assert len(machine.begun) == 7
    assert max(at_once) == 3


def test_a_pruned_trial_counts_and_a_failed_one_does_not(run: Run, study: optuna.Study) -> None:
    endings = {0: Outcome("pruned"), 1: Outcome("failed", error="no room")}
    machine = Machine(lambda trial: endings.get(trial.number, Outcome("finished", 1.0)))
    run(machine, Budget(trials=3))
    assert states(study) == ["PRUNED", "FAIL", "COMPLETE", "COMPLETE"]
    assert study.get_trials()[1].user_attrs[ERROR] == "no room"


def test_a_score_that_is_no_number_is_a_failure(run: Run, study: optuna.Study) -> None:
    machine = Machine(lambda trial: Outcome("finished", float("nan") if trial.number == 0 else 1))
    run(machine, Budget(trials=1))
    assert states(study) == ["FAIL", "COMPLETE"]


def test_three_failures_in_a_row_end_the_search(run: Run, study: optuna.Study) -> None:
    machine = Machine(lambda trial: Outcome("failed", error="no such weights."))
    with pytest.raises(SettingError, match=r"3 trials in a row.*no such weights\."):
        run(machine, Budget(trials=20))
    assert states(study) == ["FAIL"] * 3


def test_failures_with_a_success_between_them_do_not_end_the_search(
    run: Run, study: optuna.Study
) -> None:
    failed, fine = Outcome("failed", error="no room"), Outcome("finished", 0.5)
    machine = Machine(lambda trial: fine if trial.number % 3 == 2 else failed)
    run(machine, Budget(trials=2))
    assert states(study) == ["FAIL", "FAIL", "COMPLETE"] * 2


def test_at_the_end_of_the_time_running_trials_are_put_back(run: Run, study: optuna.Study) -> None:
    machine = Machine(looks=10**9)
    run(machine, Budget(trials=20, timeout=0.05, workers=2))
    assert [process.stopped for process in machine.processes] == [True, True]
    assert states(study) == ["FAIL", "FAIL", "WAITING", "WAITING"]
    before = [trial.params for trial in machine.begun]
    done = Machine()
    run(done, Budget(trials=2))
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
    machine = Machine()
    run(machine, Budget(trials=20, timeout=100.0))
    assert machine.begun == []
    run(machine, Budget(trials=2, timeout=200.0))
    assert len(machine.begun) == 1


def test_an_interrupted_search_puts_its_trials_back(run: Run, study: optuna.Study) -> None:
    machine = Machine()

    class Interrupted(Pretended):
        def outcome(self) -> Outcome | None:
            raise KeyboardInterrupt

    process = Interrupted(Outcome("pruned"))
    machine.begin = lambda trial: process  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(machine, Budget(trials=1))
    assert process.stopped
    assert states(study) == ["FAIL", "WAITING"]


def test_what_a_dead_search_left_running_is_run_first(run: Run, study: optuna.Study) -> None:
    left = study.ask(DISTRIBUTIONS)
    left.set_user_attr("beat", 0.0)
    machine = Machine()
    run(machine, Budget(trials=2))
    assert states(study) == ["FAIL", "COMPLETE", "COMPLETE"]
    assert machine.begun[0].params == left.params


def test_trials_that_run_elsewhere_are_counted_and_left_alone(
    run: Run, study: optuna.Study
) -> None:
    study.ask(DISTRIBUTIONS)
    run(Machine(), Budget(trials=2))
    assert states(study) == ["RUNNING", "COMPLETE"]


def test_a_space_that_holds_no_more_ends_the_search(study: optuna.Study, owner: Owner) -> None:
    machine = Machine()
    few = distributions(make_space({"batch_size": [8, 16, 32]}))
    run_search(study, few, Budget(trials=20), owner, machine.begin, Silent())
    assert sorted(trial.params["batch_size"] for trial in machine.begun) == [8, 16, 32]


def test_the_owner_leaves_no_lock(run: Run, owner: Owner) -> None:
    run(Machine(), Budget(trials=1))
    assert list(owner.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(trials=0), "--trials.*0"),
        (Budget(workers=-1), "--workers.*-1"),
        (Budget(trial_folds=0), "--trial-folds.*0"),
        (Budget(trial_folds=4), "--trial-folds 4 of 3"),
        (Budget(timeout=0.0), "--timeout"),
        (Budget(timeout=float("nan")), "--timeout"),
    ],
)
def test_a_budget_that_cannot_be_is_named(budget: Budget, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        budget.check(folds=3)


def test_no_state_of_a_trial_is_forgotten() -> None:
    assert {state.name for state in TrialState} == {
        "COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING",
    }  # fmt: skip
