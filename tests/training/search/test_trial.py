"""A trial trains as a fold does, reports each epoch, and can be given up or taken up."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import keras
import optuna
import pytest

from kagglecxr.core.metrics import METRICS
from kagglecxr.inference.predictions import Predictions
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.search.trial import ReportEpochScore, replay_scores, train_trial
from kagglecxr.training.search.trial_process import TrialResult, TrialSpec, read_result
from tests.conftest import PreparedDemo
from tests.training.search.conftest import DISTRIBUTIONS

SMALL = make_recipe({}, ["epochs=2", "model_options.width=4"])


def make_job(demo: PreparedDemo, folder: Path, folds: int = 1) -> TrialSpec:
    return TrialSpec(
        competition="demo", work=str(demo.workspace.root), study="one", storage="", number=0,
        recipe=SMALL.model_dump(mode="json"), folder=str(folder), folds=folds, seed=0,
    )  # fmt: skip


@pytest.fixture
def job(demo: PreparedDemo, tmp_path: Path) -> TrialSpec:
    return make_job(demo, tmp_path / "trial")


class _Never(optuna.pruners.BasePruner):
    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return False


class _After(optuna.pruners.BasePruner):
    """Gives up every trial at one step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return trial.last_step == self._step


def ask(pruner: optuna.pruners.BasePruner) -> optuna.Trial:
    return optuna.create_study(direction="maximize", pruner=pruner).ask(DISTRIBUTIONS)


def steps(trial: optuna.Trial) -> dict[int, float]:
    return trial.study.get_trials()[0].intermediate_values


@dataclass(frozen=True)
class Trained:
    """A trial of two folds that was not interrupted."""

    folder: Path
    outcome: TrialResult
    steps: dict[int, float]


@pytest.fixture(scope="module")
def trained(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder, trial = tmp_path_factory.mktemp("trial"), ask(_Never())
    outcome = train_trial(demo.prepared, demo.workspace, make_job(demo, folder, folds=2), trial)
    return Trained(folder, outcome, steps(trial))


def scores(demo: PreparedDemo, folder: Path) -> list[float]:
    metric = METRICS[demo.competition.metric.name]
    kept = [Predictions.load(path) for path in sorted(folder.glob("fold-*/validation.npz"))]
    return [metric(part.truth, part.probabilities) for part in kept]


def test_a_trials_score_is_the_metric_of_its_held_out_images(
    trained: Trained, demo: PreparedDemo
) -> None:
    first, second = scores(demo, trained.folder)
    assert trained.outcome == TrialResult("finished", pytest.approx((first + second) / 2))
    assert not list(trained.folder.rglob("*.h5"))


def test_each_epoch_of_each_fold_is_a_step(trained: Trained, demo: PreparedDemo) -> None:
    assert list(trained.steps) == [1, 2, 3, 4]
    first, _ = scores(demo, trained.folder)
    kept = json.loads((trained.folder / "fold-1" / "scores.json").read_text())
    assert trained.steps[3] == pytest.approx((first + kept["1"]) / 2)


@pytest.mark.slow
def test_each_epoch_of_each_stage_is_a_step(demo: PreparedDemo, tmp_path: Path) -> None:
    recipe = make_recipe(
        {"stages": [{"epochs": 1, "trainable": "all"}]}, ["epochs=1", "model_options.width=4"]
    )
    job = dataclasses.replace(
        make_job(demo, tmp_path / "staged", folds=2), recipe=recipe.model_dump(mode="json")
    )
    trial = ask(_Never())
    assert train_trial(demo.prepared, demo.workspace, job, trial).state == "finished"
    assert list(steps(trial)) == [1, 2, 3, 4]
    assert not list(Path(job.folder).rglob("*.h5"))


def test_a_trial_that_is_given_up_leaves_no_weights(demo: PreparedDemo, job: TrialSpec) -> None:
    trial = ask(_After(1))
    assert train_trial(demo.prepared, demo.workspace, job, trial) == TrialResult("pruned")
    assert list(steps(trial)) == [1]
    assert list(Path(job.folder).iterdir()) == []


class _KilledError(Exception):
    pass


def test_a_trial_is_taken_up_after_its_last_epoch_and_reports_the_same(
    trained: Trained, demo: PreparedDemo, job: TrialSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(ReportEpochScore):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            if epoch == 1:
                raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr("kagglecxr.training.search.trial.ReportEpochScore", Killed)
        with pytest.raises(_KilledError):
            train_trial(demo.prepared, demo.workspace, job, ask(_Never()))
    again = ask(_Never())
    train_trial(demo.prepared, demo.workspace, job, again)
    assert scores(demo, Path(job.folder)) == scores(demo, trained.folder)[:1]
    assert steps(again) == {epoch: trained.steps[epoch] for epoch in (1, 2)}


def test_a_finished_fold_is_reported_again_though_nothing_is_trained(
    trained: Trained, demo: PreparedDemo
) -> None:
    again = ask(_Never())
    outcome = train_trial(demo.prepared, demo.workspace, make_job(demo, trained.folder, 2), again)
    assert outcome == trained.outcome
    assert steps(again) == trained.steps


def test_an_epochs_score_is_kept_before_the_training_is_given_up(tmp_path: Path) -> None:
    callback = ReportEpochScore(lambda: 0.5, lambda epoch, score: True, tmp_path / "scores.json")
    callback.set_model(keras.Sequential())
    with pytest.raises(optuna.TrialPruned):
        callback.on_epoch_end(0)
    assert json.loads((tmp_path / "scores.json").read_text()) == {"1": 0.5}


def test_an_epoch_that_was_reported_before_a_kill_is_not_reported_twice(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"1": 0.25}')
    told: list[tuple[int, float]] = []

    def report(epoch: int, score: float) -> bool:
        told.append((epoch, score))
        return False

    callback = ReportEpochScore(lambda: 0.5, report, tmp_path / "scores.json")
    callback.set_model(keras.Sequential())
    replay_scores(tmp_path / "scores.json", report)
    for epoch in (0, 1):
        callback.on_epoch_end(epoch)
    assert told == [(1, 0.25), (2, 0.5)]


def test_a_job_crosses_a_pipe_and_an_outcome_a_file(job: TrialSpec, tmp_path: Path) -> None:
    assert TrialSpec.of_line(job.as_line()) == job
    assert job.as_line().count("\n") == 1
    assert read_result(tmp_path) is None
    TrialResult("failed", error="no\nroom").write(tmp_path)
    assert read_result(tmp_path) == TrialResult("failed", error="no\nroom")
