"""Trains one fold: on all others, and predicts the images of its own."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.deadline import TimeBudget
from kagglecxr.core.files import read_json, write_json, write_table
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import WEIGHTS
from kagglecxr.core.seeding import derive_seed
from kagglecxr.data.prepare import PreparedData
from kagglecxr.data.sequences.semi_supervised import PseudoLabelledImages
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.batch_norm import RECALIBRATED, recalibrate_batch_norm
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.training.callbacks.resume_checkpoint import EpochLog
from kagglecxr.training.fold_data import FitInputs, FoldData
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.stage import (
    CallbackFactory,
    StageTrainer,
    StopReason,
    load_stage,
    save_stage,
)


@dataclass(frozen=True)
class FoldSummary:
    """What a finished fold leaves besides its files.

    Attributes:
        seconds: of training, validation at each epoch's end included.
        parameters: the model's, "all" and "trainable".
        last_epoch: the last line of its history.
        ended: whether it had all its epochs, learned no more, or had no more time.
    """

    seconds: float
    parameters: dict[str, int]
    last_epoch: dict[str, float]
    ended: StopReason = "whole"


def _no_weights(fold: int) -> Sequence[Path]:
    return ()


def _no_images(fold: int) -> PseudoLabelledImages | None:
    return None


def _no_callbacks(fitting: FitInputs) -> Sequence[keras.callbacks.Callback]:
    return ()


@dataclass(frozen=True)
class FoldOptions:
    """What a fold is trained with besides its data and recipe.

    Attributes:
        weights: the files that a fold starts from; asked only where it is not finished yet.
        unlabelled: the images without a label that it learns from; asked likewise.
        callbacks: makes more callbacks, which are called before the fold's own, so that what they
            keep is never an epoch behind.
        time: what the fold may take; where its epochs do not fit, it ends with the weights of its
            best epoch so far. None for no hurry.
    """

    weights: Callable[[int], Sequence[Path]] = _no_weights
    unlabelled: Callable[[int], PseudoLabelledImages | None] = _no_images
    callbacks: CallbackFactory = _no_callbacks
    time: TimeBudget | None = None


def train_fold(
    prepared: PreparedData,
    recipe: Recipe,
    fold_of: npt.NDArray[np.intp],
    fold: int,
    folder: Path,
    seed: int,
    reporter: Reporter,
    conditions: FoldOptions = FoldOptions(),
) -> FoldSummary:
    """Trains, saves weights and history, and predicts the held-out images.

    A finished fold is only read again; an interrupted one goes on after its last whole epoch, and
    ends with the same weights as if it had never stopped.

    Args:
        prepared: the data.
        recipe: how to train.
        fold_of: the fold of each training image, in the index's order.
        fold: which fold is held out.
        folder: where its files go: weights, history.csv, TensorBoard's log, validation.npz, and
            fold.json last.
        seed: of the whole run.
        reporter: told of every batch.
        conditions: what else it is trained with.
    """
    finished = folder / "fold.json"
    if finished.is_file():
        return FoldSummary(**read_json(finished))
    fold_seed = derive_seed(seed, "fold", fold)
    # Asked first of all, since it may build other models, and what follows fixes chance anew.
    data = FoldData(prepared, fold_of, fold, conditions.unlabelled(fold))
    stages = recipe.in_stages()
    epochs = sum(stage.epochs for stage in stages)
    trainer = StageTrainer(
        data, folder, f"Fold {fold}", epochs, reporter, conditions.callbacks, conditions.time
    )
    history: list[EpochLog] = []
    start: Sequence[Path] | None = None
    for number, stage in enumerate(stages, start=1):
        place, is_last = f"stage-{number}", number == len(stages)
        if not is_last and (kept := load_stage(folder / place)):
            start, history = [kept[0]], history + kept[1]
            continue
        # The last stage's chance is the fold's: a recipe without stages is one with no others.
        stage_seed = fold_seed if is_last else derive_seed(fold_seed, "stage", number)
        start = conditions.weights(fold) if start is None else start
        trained = trainer.train(stage, place, start, stage_seed, len(history))
        history += trained.history
        if trained.ended == "out of time":
            break
        if not is_last:
            start = [save_stage(trained, folder / place)]
    if trained.ended == "out of time":
        reporter.note(
            f"Fold {fold} was out of time after {len(history)} of {epochs} epochs; it keeps the "
            f"best of them. To train it whole, remove {folder} and allow more time."
        )
    if recipe.batch_norm == RECALIBRATED:
        recalibrate_batch_norm(trained.model, data.plain_images(recipe, fold_seed))
    answers = trained.fitting.answers(recipe.views)
    Predictions(data.held_out_ids(), answers, data.held_out_truth()).save(folder / "validation.npz")
    return _finish(trained.model, history, trained.ended, folder)


def _finish(
    model: keras.Model, history: list[EpochLog], ended: StopReason, folder: Path
) -> FoldSummary:
    write_table(folder / "history.csv", pd.DataFrame(history))
    save_weights(model, folder / WEIGHTS, optimizer=False)
    counts = [int(np.prod(v.shape)) for v in model.trainable_weights]
    summary = FoldSummary(
        seconds=round(sum(epoch["seconds"] for epoch in history), 1),
        parameters={"all": model.count_params(), "trainable": sum(counts)},
        last_epoch=history[-1],
        ended=ended,
    )
    write_json(folder / "fold.json", summary.__dict__)
    for state in folder.glob("stage-*"):
        shutil.rmtree(state)
    return summary
