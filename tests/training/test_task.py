"""Classification is one task, and another one trains by the same stages, folds and runs."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from kagglecxr.core.metrics import Metric
from kagglecxr.core.progress import Silent
from kagglecxr.core.run_record import read_run
from kagglecxr.data.index import write_folds, write_index
from kagglecxr.data.samplers.epoch_sampler import EpochSampler
from kagglecxr.inference.predictions import PLAIN_VIEW, Predictions, concatenate
from kagglecxr.training.fold import train_fold
from kagglecxr.training.recipe import Recipe, make_recipe
from kagglecxr.training.run import describe_run
from kagglecxr.training.run_results import finish_run
from kagglecxr.training.task import Outputs, Part, Task
from kagglecxr.training.tasks import ClassificationTask, make_task
from tests.conftest import PreparedDemo
from tests.training.eager_models import eagerly
from tests.training.run_factories import TINY, run_spec


@dataclasses.dataclass(frozen=True)
class FirstTargetHeldOut:
    """Probabilities of the first target, with what is true."""

    predictions: Predictions

    def save(self, path: Path) -> None:
        self.predictions.save(path)

    def scores(self) -> dict[str, float]:
        return {"error": self.score()}

    def score(self) -> float:
        kept = self.predictions
        return float(np.abs(kept.truth - kept.probabilities[:, 1]).mean())


class FirstTargetTask(Task):
    """Is it the first target? One sigmoid unit, scored by its error."""

    @property
    def output_names(self) -> list[str]:
        return self.prepared.competition.targets()[:1]

    @property
    def metric(self) -> Metric:
        return Metric("error", lambda truth, p: float(np.abs(truth - p[:, 1]).mean()), False)

    def epoch_metrics(self) -> list[keras.Metric]:
        return [keras.metrics.BinaryAccuracy(name="binary_accuracy")]

    def loss(self, recipe: Recipe) -> keras.Loss:
        return keras.losses.BinaryCrossentropy()

    def targets(self, part: Part) -> npt.NDArray[np.float32]:
        return (self.prepared.target_ids()[part] == 0).astype(np.float32)[:, None]

    def sampler(self, part: Part, recipe: Recipe, seed: int) -> EpochSampler:
        return ClassificationTask(self.prepared).sampler(part, recipe, seed)

    def predict(
        self, model: keras.Model, rows: npt.NDArray[np.intp], views: Sequence[str]
    ) -> Outputs:
        return ClassificationTask(self.prepared).predict(model, rows, views)

    def held_out(self, part: Part, by_view: Mapping[str, Outputs]) -> FirstTargetHeldOut:
        kept = ClassificationTask(self.prepared).held_out(part, by_view).predictions
        return FirstTargetHeldOut(
            dataclasses.replace(kept, truth=(kept.truth == 0).astype(np.intp))
        )

    def load_held_out(self, paths: Sequence[Path]) -> FirstTargetHeldOut:
        return FirstTargetHeldOut(concatenate([Predictions.load(path) for path in paths]))


def test_another_task_trains_by_the_same_trainer(demo: PreparedDemo, tmp_path: Path) -> None:
    demo = dataclasses.replace(demo, workspace=dataclasses.replace(demo.workspace, root=tmp_path))
    write_index(demo.workspace.index, demo.prepared.index)
    recipe = make_recipe({}, [*TINY, "epochs=2", "steps=1", "ema=0.5", "patience=2"])
    run = run_spec(demo, recipe, tmp_path / "runs" / "first")
    run = dataclasses.replace(
        run, task=FirstTargetTask(demo.prepared), fold_of=np.minimum(run.fold_of, 1)
    )
    train = demo.prepared.index.rows("train")
    write_folds(run.folder / "folds.csv", demo.prepared.index.column("id", train), run.fold_of)
    with eagerly():
        for fold in run.missing_folds():
            train_fold(run, fold, Silent())
    finish_run(run)
    record = read_run(run.folder)
    assert record.targets == demo.prepared.competition.targets()[:1]
    assert {"val_binary_accuracy", "oof_error"} <= record.metrics.keys()
    assert "accuracy" not in record.metrics
    history = pd.read_csv(run.fold_folder(1) / "history.csv")
    assert np.isfinite(history["val_binary_accuracy"]).all()
    oof = run.task.load_held_out([run.folder / "oof.npz"])
    assert record.metrics["oof_error"] == pytest.approx(oof.scores()["error"])
    assert "out-of-fold error 0." in describe_run(run.folder, "error")


def test_classification_has_one_hot_targets_and_the_competitions_metric(demo: PreparedDemo) -> None:
    task, part = make_task(demo.prepared), demo.prepared.fold == 0
    targets = task.targets(part)
    assert targets.shape == (part.sum(), len(task.output_names))
    np.testing.assert_array_equal(targets.argmax(axis=1), demo.prepared.target_ids()[part])
    right = task.held_out(part, {PLAIN_VIEW: targets})
    assert right.score() == right.scores()[task.metric.name] == 1.0
    assert right.scores()["log_loss"] == 0.0
