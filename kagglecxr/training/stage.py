"""Trains one stage of a fold: some layers of a model, at one rate, for some epochs."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np

from kagglecxr.core.deadline import TimeBudget
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.data.prepared import PreparedData
from kagglecxr.models.devices import distribution_scope
from kagglecxr.models.runtime import seed_everything
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.models.zoo import create_model
from kagglecxr.training.callbacks.averaging import MovingAverage, TopKAverage
from kagglecxr.training.callbacks.early_stopping import (
    EarlyStopping,
    TimeLimit,
    has_stopped_improving,
)
from kagglecxr.training.callbacks.epoch_bar import EpochBar
from kagglecxr.training.callbacks.resume_checkpoint import EpochLog, ResumeCheckpoint
from kagglecxr.training.callbacks.tensorboard_log import TensorBoardLog
from kagglecxr.training.endless_batches import BatchErrors, endless_batches
from kagglecxr.training.features.frozen_features import frozen_features, uses_frozen_features
from kagglecxr.training.features.linear_head import fit_linear_head
from kagglecxr.training.fold_data import FitInputs, FoldData
from kagglecxr.training.fold_novelty import MAX_IMAGES
from kagglecxr.training.lr_schedule import RateSchedule
from kagglecxr.training.optimizer import make_optimizer
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.task import Task

CallbackFactory = Callable[[FitInputs], Sequence[keras.callbacks.Callback]]
StopReason = Literal["whole", "early", "out of time"]

_DONE, _WEIGHTS = "done.json", "done.weights.h5"


@dataclass(frozen=True)
class StageSpec:
    """What a stage is: a recipe without stages, the folder of its state, and its seed."""

    recipe: Recipe
    folder: Path
    seed: int


@dataclass(frozen=True)
class StageResult:
    """The whole model after a stage, what of it was fitted, and the history of the stage."""

    model: keras.Model
    inputs: FitInputs
    history: list[EpochLog]
    stop_reason: StopReason


@dataclass(frozen=True)
class StageTrainer:
    """Trains the stages of a fold, which have `epochs` in all and write one TensorBoard log."""

    data: FoldData
    folder: Path
    title: str
    epochs: int
    reporter: Reporter
    callbacks: CallbackFactory
    budget: TimeBudget | None = None

    def train(self, stage: StageSpec, weights: Sequence[Path], epochs_before: int) -> StageResult:
        """Trains a stage from weights files, or from its last whole epoch if it was interrupted."""
        keras.utils.clear_session()
        seed_everything(stage.seed)
        stage.folder.mkdir(parents=True, exist_ok=True)
        recipe, task = stage.recipe, self.data.task
        frozen = uses_frozen_features(recipe)
        with contextlib.ExitStack() as stack:
            first: Sequence[keras.callbacks.Callback] = ()
            if not frozen:
                scope = distribution_scope(recipe.batch_size, self.reporter.note)
                first = stack.enter_context(scope)
            with precision_policy(recipe.precision):
                model = build_model(task, recipe, weights)
                if frozen:
                    deadline = self.budget.whole if self.budget else None
                    features = frozen_features(self.data, model, recipe, self.reporter, deadline)
                    inputs = features.fit_inputs(recipe, stage.seed)
                else:
                    inputs = self.data.fit_inputs(model, recipe, stage.seed)
                compile_model(inputs.model, task, recipe, len(inputs.batches))
            if frozen and recipe.linear is not None:
                log = fit_linear_head(features, recipe, recipe.linear, self.reporter)
                return StageResult(model, inputs, [log], "whole")
            history, reason = self._fit(inputs, stage, epochs_before, first)
        return StageResult(model, inputs, history, reason)

    def _fit(
        self,
        inputs: FitInputs,
        stage: StageSpec,
        epochs_before: int,
        first: Sequence[keras.callbacks.Callback],
    ) -> tuple[list[EpochLog], StopReason]:
        recipe = stage.recipe
        average = [MovingAverage()] if recipe.ema else []
        checkpoint = ResumeCheckpoint(stage.folder)
        keeps_best = recipe.best_epochs or int(recipe.patience is not None)
        best = TopKAverage(stage.folder, keeps_best or int(self.budget is not None), checkpoint)
        limit = self._time_limit(recipe)
        done = checkpoint.restore(inputs.model)
        if done:
            for callback in average:
                callback.weights_restored()
        steps = len(inputs.batches)
        left = (recipe.epochs - done) * steps
        if left and not has_stopped_improving(checkpoint.losses, recipe.patience):
            measured = self.data.task.epoch_metrics()
            shown = ("loss", *(metric.name for metric in measured))
            with self.reporter.bar(self.title, left) as bar, BatchErrors() as errors:
                learned, held_out = inputs.batches.batch_at, inputs.validation
                inputs.model.fit(
                    endless_batches(errors.keeping(lambda n: learned(done * steps + n))),
                    steps_per_epoch=steps,
                    validation_data=endless_batches(errors.keeping(held_out)),
                    validation_steps=inputs.validation_steps,
                    initial_epoch=epochs_before + done,
                    epochs=epochs_before + recipe.epochs,
                    shuffle=False,
                    verbose=0,
                    callbacks=[
                        *first,
                        *average,
                        *self.callbacks(inputs),
                        best,
                        checkpoint,
                        RateSchedule(recipe, steps, epochs_before, lambda: checkpoint.losses),
                        EarlyStopping(recipe.patience, checkpoint),
                        *limit,
                        TensorBoardLog(self.folder / "tensorboard"),
                        EpochBar(bar, self.title, self.epochs, shown),
                    ],
                )
        is_over = any(callback.is_over for callback in limit)
        if keeps_best or is_over:
            best.restore(inputs.model)
        if is_over:
            return checkpoint.history, "out of time"
        return checkpoint.history, "whole" if len(checkpoint.history) == recipe.epochs else "early"

    def _time_limit(self, recipe: Recipe) -> list[TimeLimit]:
        if self.budget is None:
            return []
        predictions = int(self.data.held_out.sum()) * (1 + len(recipe.views))
        predictions += min(len(self.data.rows), 2 * MAX_IMAGES)
        return [TimeLimit(self.budget.deadline, predictions, recipe.batch_size)]


def load_stage(folder: Path) -> tuple[Path, list[EpochLog]] | None:
    """The weights and history of a stage that `save_stage` saved; None where it is not finished."""
    done = folder / _DONE
    return (folder / _WEIGHTS, read_json(done)["history"]) if done.is_file() else None


def save_stage(result: StageResult, folder: Path) -> Path:
    """Saves a finished stage for the next one, and returns the file of its weights."""
    save_weights(result.model, folder / _WEIGHTS, optimizer=False)
    write_json(folder / _DONE, {"history": result.history})
    return folder / _WEIGHTS


def build_model(task: Task, recipe: Recipe, weights: Sequence[Path] = ()) -> keras.Model:
    """The recipe's model for a task, with its augmentation layers if it has any.

    Weights are loaded from these files, and random where there are none.
    """
    inside = recipe.augmentation.where == "model"
    return create_model(
        recipe.model,
        **task.head,
        input_shape=input_shape(task.prepared),
        weights=weights,
        trainable=recipe.trainable,
        batch_norm=recipe.batch_norm,
        augmentation=recipe.augmentation if inside else None,
        **recipe.model_options,
    )


def compile_model(model: keras.Model, task: Task, recipe: Recipe, steps: int) -> None:
    """Sets optimizer, loss and metrics; `RateSchedule` sets the learning rate in training.

    Args:
        model: what learns.
        task: what is learned.
        recipe: says how.
        steps: batches in an epoch.
    """
    optimizer = make_optimizer(model, recipe, recipe.epochs * steps)
    model.compile(optimizer, task.loss(recipe), metrics=task.epoch_metrics())
    # Variables that are created inside `fit` make TensorFlow trace its graph twice.
    model.optimizer.build(model.trainable_variables)
    truth = task.targets(np.arange(len(task.prepared.index.rows("train"))) == 0)[:]
    model.compute_metrics(None, truth, np.zeros((1, *model.output_shape[1:]), np.float32))
    model.reset_metrics()


def input_shape(prepared: PreparedData) -> tuple[int, int, int]:
    """(H, W, C) of the cached images."""
    _, height, width, *channels = prepared.cache.images.shape
    return height, width, channels[0] if channels else 1


@contextlib.contextmanager
def precision_policy(policy: str) -> Iterator[None]:
    """Builds what is built in the scope under a policy of Keras, such as "mixed_bfloat16"."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
