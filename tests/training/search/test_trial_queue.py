"""No trial is lost with its process, and none is trained twice."""

import time

import optuna
import pytest
from filelock import FileLock
from optuna.trial import FrozenTrial, TrialState

from kagglecxr.training.search.space import make_space
from kagglecxr.training.search.study import to_distributions
from kagglecxr.training.search.trial_queue import (
    DUPLICATE_OF,
    HEARTBEAT,
    HEARTBEAT_TIMEOUT,
    REQUEUED_FROM,
    WORKER,
    WorkerLock,
    count_trials,
    find_duplicate,
    requeue,
    requeue_lost,
    suggest_unique,
    untried,
)
from tests.training.search.conftest import DISTRIBUTIONS

TWO = to_distributions(make_space({"batch_size": [16, 32]}))


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.get_trials()]


def running(study: optuna.Study, worker: WorkerLock) -> FrozenTrial:
    trial = suggest_unique(study, DISTRIBUTIONS, worker)
    assert trial is not None
    return study.get_trials()[trial.number]


def test_parameters_that_were_tried_are_not_tried_again(
    study: optuna.Study, worker: WorkerLock
) -> None:
    first = suggest_unique(study, TWO, worker)
    assert first is not None
    study.tell(first, 0.5)
    second = suggest_unique(study, TWO, worker)
    assert second is not None
    assert first.params != second.params
    assert suggest_unique(study, TWO, worker) is None
    copies = [trial for trial in study.get_trials() if DUPLICATE_OF in trial.user_attrs]
    assert {trial.state for trial in copies} == {TrialState.FAIL}
    assert count_trials(study) == 2


def test_a_small_space_is_tried_to_its_last_parameters(
    study: optuna.Study, worker: WorkerLock
) -> None:
    values = {"batch_size": list(range(30)), "epochs": {"low": 2, "high": 8, "step": 3}}
    space = to_distributions(make_space(values))
    tried = []
    while (trial := suggest_unique(study, space, worker)) is not None:
        tried.append((trial.params["batch_size"], trial.params["epochs"]))
        study.tell(trial, 0.5)
    assert len(tried) == len(set(tried)) == 90
    assert untried(study, space) == []
    assert len(study.get_trials()) < 90 * 8


def test_a_large_space_is_not_enumerated(study: optuna.Study) -> None:
    many = to_distributions(make_space({"epochs": {"low": 1, "high": 10**6}}))
    assert untried(study, many) is None
    assert untried(study, DISTRIBUTIONS) is None


def test_parameters_of_a_failed_trial_may_be_tried_again(
    study: optuna.Study, worker: WorkerLock
) -> None:
    for _ in range(2):
        for _ in range(2):
            trial = suggest_unique(study, TWO, worker)
            assert trial is not None
            study.tell(trial, state=TrialState.FAIL)
    assert count_trials(study) == 0


def test_of_two_machines_with_the_same_parameters_the_later_gives_way(
    study: optuna.Study, worker: WorkerLock
) -> None:
    for _ in range(2):
        study.enqueue_trial({"learning_rate": 1e-3})
    first, second = (suggest_unique(study, DISTRIBUTIONS, worker) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.params == {"learning_rate": 1e-3}
    assert second.params != first.params
    assert states(study) == ["RUNNING", "FAIL", "RUNNING"]


def test_of_two_that_run_with_the_same_parameters_the_first_goes_on(study: optuna.Study) -> None:
    for _ in range(2):
        study.enqueue_trial({"learning_rate": 1e-3})
    first, second = (study.ask(DISTRIBUTIONS) for _ in range(2))
    assert find_duplicate(study, first) is None
    assert find_duplicate(study, second) == first.number


def test_parameters_that_are_still_to_come_are_waited_for(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.enqueue_trial({"learning_rate": 1e-3})
    first = study.ask()
    study.enqueue_trial({"learning_rate": 1e-3})
    second = study.ask(DISTRIBUTIONS)

    def named(seconds: float) -> None:
        first.suggest_float("learning_rate", 1e-4, 1e-2, log=True)

    monkeypatch.setattr("kagglecxr.training.search.trial_queue.time.sleep", named)
    assert find_duplicate(study, second) == first.number


def test_parameters_that_never_come_are_waited_for_no_longer(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.ask()
    monkeypatch.setattr("kagglecxr.training.search.trial_queue.PARAMETERS_TIMEOUT", 0.0)
    assert find_duplicate(study, study.ask(DISTRIBUTIONS)) is None


def test_a_lost_trial_is_failed_and_its_parameters_come_next(
    study: optuna.Study, worker: WorkerLock
) -> None:
    lost = running(study, worker)
    assert requeue_lost(study, lambda trial: False) == [0]
    assert states(study) == ["FAIL", "WAITING"]
    again = suggest_unique(study, DISTRIBUTIONS, worker)
    assert again is not None
    assert again.params == lost.params
    assert again.user_attrs[REQUEUED_FROM] == 0
    assert requeue_lost(study, lambda trial: True) == []


def test_a_trial_requeued_by_two_is_trained_once(study: optuna.Study, worker: WorkerLock) -> None:
    lost = running(study, worker)
    requeue(study, 0)
    requeue(study, 0)
    first, second = (suggest_unique(study, DISTRIBUTIONS, worker) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.params == lost.params
    assert second.params != lost.params


def test_a_worker_is_alive_as_long_as_its_lock_is_held(
    study: optuna.Study, worker: WorkerLock
) -> None:
    trial = running(study, worker)
    other = WorkerLock("here-2", worker.folder)
    lock = worker.lock()
    with lock:
        assert other.is_alive(trial, time.time())
        assert other.is_alive(trial, time.time() + 10 * HEARTBEAT_TIMEOUT)
    assert not other.is_alive(trial, time.time())
    assert worker.is_alive(trial, time.time())


def test_a_worker_on_another_machine_is_alive_as_long_as_it_sends_heartbeats(
    study: optuna.Study, worker: WorkerLock
) -> None:
    trial_elsewhere = study.ask(DISTRIBUTIONS)
    trial_elsewhere.set_user_attr(WORKER, "elsewhere-1")
    now = time.time()
    trial = study.get_trials()[0]
    assert worker.is_alive(trial, now)
    assert not worker.is_alive(trial, now + HEARTBEAT_TIMEOUT + 1)
    trial_elsewhere.set_user_attr(HEARTBEAT, now + HEARTBEAT_TIMEOUT)
    assert worker.is_alive(study.get_trials()[0], now + HEARTBEAT_TIMEOUT + 1)


def test_a_lock_that_is_checked_stays_free(study: optuna.Study, worker: WorkerLock) -> None:
    trial = running(study, worker)
    path = worker.folder / f"{worker.name}.lock"
    with worker.lock():
        pass
    path.touch()
    assert not WorkerLock("here-2", worker.folder).is_alive(trial, time.time())
    with FileLock(path, timeout=0) as lock:
        assert lock.is_locked
