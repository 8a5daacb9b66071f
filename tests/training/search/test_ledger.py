"""No trial is lost with its process, and none is trained twice."""

import time

import optuna
import pytest
from filelock import FileLock
from optuna.trial import FrozenTrial, TrialState

from kagglecxr.training.search.ledger import (
    BEAT,
    LOST,
    OWNER,
    SAME_AS,
    SILENCE,
    Owner,
    ask,
    count,
    put_back,
    put_back_lost,
    same_before,
    untried,
)
from kagglecxr.training.search.space import make_space
from kagglecxr.training.search.study import distributions
from tests.training.search.conftest import DISTRIBUTIONS

TWO = distributions(make_space({"batch_size": [16, 32]}))


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.get_trials()]


def running(study: optuna.Study, owner: Owner) -> FrozenTrial:
    trial = ask(study, DISTRIBUTIONS, owner)
    assert trial is not None
    return study.get_trials()[trial.number]


def test_parameters_that_were_tried_are_not_tried_again(study: optuna.Study, owner: Owner) -> None:
    first = ask(study, TWO, owner)
    assert first is not None
    study.tell(first, 0.5)
    second = ask(study, TWO, owner)
    assert second is not None
    assert first.params != second.params
    assert ask(study, TWO, owner) is None
    copies = [trial for trial in study.get_trials() if SAME_AS in trial.user_attrs]
    assert {trial.state for trial in copies} == {TrialState.FAIL}
    assert count(study) == 2


def test_a_small_space_is_tried_to_its_last_parameters(study: optuna.Study, owner: Owner) -> None:
    values = {"batch_size": list(range(30)), "epochs": {"low": 2, "high": 8, "step": 3}}
    space = distributions(make_space(values))
    tried = []
    while (trial := ask(study, space, owner)) is not None:
        tried.append((trial.params["batch_size"], trial.params["epochs"]))
        study.tell(trial, 0.5)
    assert len(tried) == len(set(tried)) == 90
    assert untried(study, space) == []
    assert len(study.get_trials()) < 90 * 8


def test_a_space_without_an_end_is_not_looked_through(study: optuna.Study) -> None:
    many = distributions(make_space({"epochs": {"low": 1, "high": 10**6}}))
    assert untried(study, many) is None
    assert untried(study, DISTRIBUTIONS) is None


def test_parameters_of_a_failed_trial_may_be_tried_again(study: optuna.Study, owner: Owner) -> None:
    for _ in range(2):
        for _ in range(2):
            trial = ask(study, TWO, owner)
            assert trial is not None
            study.tell(trial, state=TrialState.FAIL)
    assert count(study) == 0


def test_of_two_machines_with_the_same_parameters_the_later_gives_way(
    study: optuna.Study, owner: Owner
) -> None:
    for _ in range(2):
        study.enqueue_trial({"learning_rate": 1e-3})
    first, second = (ask(study, DISTRIBUTIONS, owner) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.params == {"learning_rate": 1e-3}
    assert second.params != first.params
    assert states(study) == ["RUNNING", "FAIL", "RUNNING"]


def test_of_two_that_run_with_the_same_parameters_the_first_goes_on(study: optuna.Study) -> None:
    for _ in range(2):
        study.enqueue_trial({"learning_rate": 1e-3})
    first, second = (study.ask(DISTRIBUTIONS) for _ in range(2))
    assert same_before(study, first) is None
    assert same_before(study, second) == first.number


def test_parameters_that_are_still_to_come_are_waited_for(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.enqueue_trial({"learning_rate": 1e-3})
    first = study.ask()
    study.enqueue_trial({"learning_rate": 1e-3})
    second = study.ask(DISTRIBUTIONS)

    def named(seconds: float) -> None:
        first.suggest_float("learning_rate", 1e-4, 1e-2, log=True)

    monkeypatch.setattr("kagglecxr.training.search.ledger.time.sleep", named)
    assert same_before(study, second) == first.number


def test_parameters_that_never_come_are_waited_for_no_longer(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.ask()
    monkeypatch.setattr("kagglecxr.training.search.ledger.PARAMETERS_COME", 0.0)
    assert same_before(study, study.ask(DISTRIBUTIONS)) is None


def test_a_lost_trial_is_failed_and_its_parameters_come_next(
    study: optuna.Study, owner: Owner
) -> None:
    lost = running(study, owner)
    assert put_back_lost(study, lambda trial: False) == [0]
    assert states(study) == ["FAIL", "WAITING"]
    again = ask(study, DISTRIBUTIONS, owner)
    assert again is not None
    assert again.params == lost.params
    assert again.user_attrs[LOST] == 0
    assert put_back_lost(study, lambda trial: True) == []


def test_a_trial_put_back_by_two_is_trained_once(study: optuna.Study, owner: Owner) -> None:
    lost = running(study, owner)
    put_back(study, 0)
    put_back(study, 0)
    first, second = (ask(study, DISTRIBUTIONS, owner) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.params == lost.params
    assert second.params != lost.params


def test_an_owner_lives_as_long_as_its_lock(study: optuna.Study, owner: Owner) -> None:
    trial = running(study, owner)
    other = Owner("here-2", owner.folder)
    lock = owner.lock()
    with lock:
        assert other.is_alive(trial, time.time())
        assert other.is_alive(trial, time.time() + 10 * SILENCE)
    assert not other.is_alive(trial, time.time())
    assert owner.is_alive(trial, time.time())


def test_an_owner_elsewhere_lives_as_long_as_it_is_heard(study: optuna.Study, owner: Owner) -> None:
    asked = study.ask(DISTRIBUTIONS)
    asked.set_user_attr(OWNER, "elsewhere-1")
    now = time.time()
    trial = study.get_trials()[0]
    assert owner.is_alive(trial, now)
    assert not owner.is_alive(trial, now + SILENCE + 1)
    asked.set_user_attr(BEAT, now + SILENCE)
    assert owner.is_alive(study.get_trials()[0], now + SILENCE + 1)


def test_a_lock_that_is_looked_at_stays_free(study: optuna.Study, owner: Owner) -> None:
    trial = running(study, owner)
    path = owner.folder / f"{owner.name}.lock"
    with owner.lock():
        pass
    path.touch()
    assert not Owner("here-2", owner.folder).is_alive(trial, time.time())
    with FileLock(path, timeout=0) as lock:
        assert lock.is_locked
