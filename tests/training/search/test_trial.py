"""A trial trains as a fold does, reports each epoch, and can be pruned or resumed."""

import dataclasses
import functools
import json
from dataclasses import dataclass
from pathlib import Path

import keras
import optuna
import pytest

from kagglecxr.core.metrics import METRICS
from kagglecxr.inference.predictions import Predictions
from kagglecxr.training.recipe import make_recipe
from kagglecxr.training.search.study import report_score
from kagglecxr.training.search.trial import ReportEpochScore, replay_scores, train_trial
from kagglecxr.training.search.trial_process import TrialResult, TrialSpec
from tests.conftest import PreparedDemo
from tests.training.search.conftest import DISTRIBUTIONS, make_spec

pytestmark = pytest.mark.usefixtures("eager")

SMALL = make_recipe({}, ["epochs=2", "steps=2", "model_options.width=4", "optimizer=sgd"])


def demo_spec(demo: PreparedDemo, folder: Path, folds: int = 1) -> TrialSpec:
    return make_spec(folder, workspace=demo.workspace.root, recipe=SMALL, folds=folds)


@pytest.fixture
def spec(demo: PreparedDemo, tmp_path: Path) -> TrialSpec:
    return demo_spec(demo, tmp_path / "trial")


class _Never(optuna.pruners.BasePruner):
    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return False


class _After(optuna.pruners.BasePruner):
    """Prunes every trial at one step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return trial.last_step == self._step


def begin(pruner: optuna.pruners.BasePruner) -> optuna.Trial:
    return optuna.create_study(direction="maximize", pruner=pruner).ask(DISTRIBUTIONS)


def train(demo: PreparedDemo, spec: TrialSpec, trial: optuna.Trial) -> TrialResult:
    report = functools.partial(report_score, trial)
    return train_trial(demo.prepared, demo.workspace, spec, report)


def steps(trial: optuna.Trial) -> dict[int, float]:
    return trial.study.get_trials()[0].intermediate_values


@dataclass(frozen=True)
class Trained:
    """A trial of two folds that was not interrupted."""

    folder: Path
    result: TrialResult
    steps: dict[int, float]


@pytest.fixture(scope="module")
def trained(demo: PreparedDemo, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder, trial = tmp_path_factory.mktemp("trial"), begin(_Never())
    result = train(demo, demo_spec(demo, folder, folds=2), trial)
    return Trained(folder, result, steps(trial))


def scores(demo: PreparedDemo, folder: Path) -> list[float]:
    metric = METRICS[demo.competition.metric.name]
    kept = [Predictions.load(path) for path in sorted(folder.glob("fold-*/validation.npz"))]
    return [metric(part.truth, part.probabilities) for part in kept]


def test_a_trials_score_is_the_metric_of_its_held_out_images(
    trained: Trained, demo: PreparedDemo
) -> None:
    first, second = scores(demo, trained.folder)
    assert trained.result == TrialResult("finished", pytest.approx((first + second) / 2))
    assert not list(trained.folder.rglob("*.h5"))
    assert not list(trained.folder.rglob("novelty.npz"))


def test_each_epoch_of_each_fold_is_a_step(trained: Trained, demo: PreparedDemo) -> None:
    assert list(trained.steps) == [1, 2, 3, 4]
    first, _ = scores(demo, trained.folder)
    kept = json.loads((trained.folder / "fold-1" / "scores.json").read_text())
    assert trained.steps[3] == pytest.approx((first + kept["1"]) / 2)


@pytest.mark.slow
def test_each_epoch_of_each_stage_is_a_step(demo: PreparedDemo, tmp_path: Path) -> None:
    recipe = make_recipe(
        {"stages": [{"epochs": 1, "trainable": "all"}]},
        ["epochs=1", "steps=2", "model_options.width=4"],
    )
    spec = dataclasses.replace(demo_spec(demo, tmp_path / "staged", folds=2), recipe=recipe)
    trial = begin(_Never())
    assert train(demo, spec, trial).state == "finished"
    assert list(steps(trial)) == [1, 2, 3, 4]
    assert not list(spec.folder.rglob("*.h5"))


def test_a_pruned_trial_leaves_no_weights(demo: PreparedDemo, spec: TrialSpec) -> None:
    trial = begin(_After(1))
    assert train(demo, spec, trial) == TrialResult("pruned")
    assert list(steps(trial)) == [1]
    assert list(spec.folder.iterdir()) == []


class _KilledError(Exception):
    pass


def test_a_killed_trial_is_resumed_and_reports_the_same(
    trained: Trained, demo: PreparedDemo, spec: TrialSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(ReportEpochScore):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            if epoch == 1:
                raise _KilledError

    with monkeypatch.context() as patch:
        patch.setattr("kagglecxr.training.search.trial.ReportEpochScore", Killed)
        with pytest.raises(_KilledError):
            train(demo, spec, begin(_Never()))
    again = begin(_Never())
    train(demo, spec, again)
    assert scores(demo, spec.folder) == scores(demo, trained.folder)[:1]
    assert steps(again) == {epoch: trained.steps[epoch] for epoch in (1, 2)}


def test_a_finished_fold_is_reported_again_though_nothing_is_trained(
    trained: Trained, demo: PreparedDemo
) -> None:
    again = begin(_Never())
    result = train(demo, demo_spec(demo, trained.folder, 2), again)
    assert result == trained.result
    assert steps(again) == trained.steps


def test_an_epochs_score_is_kept_before_the_training_is_pruned(tmp_path: Path) -> None:
    callback = ReportEpochScore(lambda: 0.5, lambda epoch, score: True, tmp_path / "scores.json")
    callback.set_model(keras.Sequential())
    with pytest.raises(optuna.TrialPruned):
        callback.on_epoch_end(0)
    assert json.loads((tmp_path / "scores.json").read_text()) == {"1": 0.5}


def test_an_epoch_that_was_reported_before_a_kill_is_not_reported_twice(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"1": 0.25}')
    reported: list[tuple[int, float]] = []

    def report(epoch: int, score: float) -> bool:
        reported.append((epoch, score))
        return False

    callback = ReportEpochScore(lambda: 0.5, report, tmp_path / "scores.json")
    callback.set_model(keras.Sequential())
    replay_scores(tmp_path / "scores.json", report)
    for epoch in (0, 1):
        callback.on_epoch_end(epoch)
    assert reported == [(1, 0.25), (2, 0.5)]


def test_a_spec_survives_a_pipe_and_a_result_a_file(spec: TrialSpec, tmp_path: Path) -> None:
    assert TrialSpec.from_json(spec.to_json()) == spec
    assert spec.to_json().count("\n") == 0
    assert TrialResult.read(tmp_path) is None
    TrialResult("failed", error="no\nroom").write(tmp_path)
    assert TrialResult.read(tmp_path) == TrialResult("failed", error="no\nroom")
