"""Trains one stage of a fold: some layers of a model, at one rate, for some epochs."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras

from kagglecxr.core.deadline import TimeBudget
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.data.prepare import PreparedData
from kagglecxr.data.sequences.sequence import EndlessSequence
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
from kagglecxr.training.callbacks.epoch_bar import EpochBar, tensorboard
from kagglecxr.training.callbacks.resume_checkpoint import EpochLog, ResumeCheckpoint
from kagglecxr.training.features.frozen_features import frozen_fit_inputs, uses_frozen_features
from kagglecxr.training.fold_data import FitInputs, FoldData
from kagglecxr.training.optimizer import compile_model
from kagglecxr.training.recipe import Recipe

CallbackFactory = Callable[[FitInputs], Sequence[keras.callbacks.Callback]]
StopReason = Literal["whole", "early", "out of time"]

_DONE, _WEIGHTS = "done.json", "done.weights.h5"


@dataclass(frozen=True)
class StageResult:
    """What a stage ends with.

    Attributes:
        model: the whole one.
        fitting: what was trained, and how the held-out images are answered.
        history: of the stage's epochs.
        ended: whether it had all its epochs, learned no more, or had no more time.
    """

    model: keras.Model
    fitting: FitInputs
    history: list[EpochLog]
    ended: StopReason


@dataclass(frozen=True)
class StageTrainer:
    """What the stages of a fold have in common.

    Attributes:
        data: of the fold.
        folder: the fold's; a stage keeps its state in a folder inside.
        title: stands before its bars.
        epochs: of all stages.
        reporter: told of every batch.
        callbacks: makes more callbacks, which are called before the stage's own.
        time: what the fold may take; None for no hurry.
    """

    data: FoldData
    folder: Path
    title: str
    epochs: int
    reporter: Reporter
    callbacks: CallbackFactory
    time: TimeBudget | None = None

    def train(
        self, stage: Recipe, place: str, weights: Sequence[Path], seed: int, before: int
    ) -> StageResult:
        """Trains a stage from its last whole epoch on.

        Args:
            stage: a recipe without stages.
            place: the name of the stage's folder.
            weights: the files it starts from.
            seed: of the stage.
            before: epochs of the stages before it.
        """
        keras.utils.clear_session()
        seed_everything(seed)
        folder = self.folder / place
        folder.mkdir(parents=True, exist_ok=True)
        on_features = uses_frozen_features(stage)
        with contextlib.ExitStack() as stack:
            first: Sequence[keras.callbacks.Callback] = ()
            if not on_features:
                shared = distribution_scope(stage.batch_size, self.reporter.note)
                first = stack.enter_context(shared)
            with _precision(stage.precision):
                model = build_model(self.data.prepared, stage, weights)
                if on_features:
                    until = self.time.whole if self.time else None
                    fitting = frozen_fit_inputs(self.data, model, stage, seed, self.reporter, until)
                else:
                    fitting = self.data.fitting(model, stage, seed)
                compile_model(fitting.model, stage, len(fitting.batches) * stage.epochs)
            history, ended = self._fit(fitting, stage, folder, before, first)
        return StageResult(model, fitting, history, ended)

    def _fit(
        self,
        fitting: FitInputs,
        stage: Recipe,
        folder: Path,
        before: int,
        first: Sequence[keras.callbacks.Callback],
    ) -> tuple[list[EpochLog], StopReason]:
        average = [MovingAverage()] if stage.ema else []
        resume = ResumeCheckpoint(folder)
        keeps_best = stage.best_epochs or int(stage.patience is not None)
        best = TopKAverage(folder, keeps_best or int(self.time is not None), resume)
        limit = self._limit(fitting, stage)
        done = resume.restore(fitting.model)
        if done:
            for callback in average:
                callback.restored()
        steps = len(fitting.batches)
        to_come = (stage.epochs - done) * steps
        if to_come and not has_stopped_improving(resume.losses, stage.patience):
            with self.reporter.bar(self.title, to_come) as bar:
                fitting.model.fit(
                    EndlessSequence(lambda place: fitting.batches.batch_at(done * steps + place)),
                    steps_per_epoch=steps,
                    validation_data=fitting.validation,
                    validation_steps=fitting.validation_steps,
                    initial_epoch=before + done,
                    epochs=before + stage.epochs,
                    shuffle=False,
                    verbose=0,
                    callbacks=[
                        *first,
                        *average,
                        *self.callbacks(fitting),
                        best,
                        resume,
                        EarlyStopping(stage, resume),
                        *limit,
                        *tensorboard(self.folder),
                        EpochBar(bar, self.title, self.epochs),
                    ],
                )
        is_over = any(callback.is_over for callback in limit)
        if keeps_best or is_over:
            best.bring_back(fitting.model)
        if is_over:
            return resume.history, "out of time"
        return resume.history, "whole" if len(resume.history) == stage.epochs else "early"

    def _limit(self, fitting: FitInputs, stage: Recipe) -> list[TimeLimit]:
        if self.time is None:
            return []
        held_out = int(self.data.held_out.sum())
        to_come = held_out * (1 + len(stage.views))
        return [TimeLimit(self.time.deadline, to_come, stage.batch_size)]


def load_stage(folder: Path) -> tuple[Path, list[EpochLog]] | None:
    """The weights and history of a stage that `save_stage` kept; None where it is not finished."""
    done = folder / _DONE
    return (folder / _WEIGHTS, read_json(done)["history"]) if done.is_file() else None


def save_stage(trained: StageResult, folder: Path) -> Path:
    """Keeps what a stage has learned for the next one; the file of its weights."""
    save_weights(trained.model, folder / _WEIGHTS, optimizer=False)
    write_json(folder / _DONE, {"history": trained.history})
    return folder / _WEIGHTS


def build_model(
    prepared: PreparedData, recipe: Recipe, weights: Sequence[Path] = ()
) -> keras.Model:
    """The recipe's model for these images and targets, with its augmentation if it is inside.

    Weights are those of these files; chance where there are none.
    """
    inside = recipe.augmentation.where == "model"
    return create_model(
        recipe.model,
        num_classes=len(prepared.competition.targets()),
        input_shape=input_shape(prepared),
        weights=weights,
        trainable=recipe.trainable,
        batch_norm=recipe.batch_norm,
        augmentation=recipe.augmentation if inside else None,
        **recipe.model_options,
    )


def input_shape(prepared: PreparedData) -> tuple[int, int, int]:
    """(H, W, C) of the cached images."""
    _, height, width, *channels = prepared.cache.images.shape
    return height, width, channels[0] if channels else 1


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
