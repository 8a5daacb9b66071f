"""Trains one fold on all others and predicts its held-out images."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.deadline import TimeBudget
from kagglecxr.core.files import read_json, write_json, write_table
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import NOVELTY, WEIGHTS
from kagglecxr.core.seeding import derive_seed
from kagglecxr.data.sequences.semi_supervised import PseudoLabelledImages
from kagglecxr.inference.tta import resolve_views
from kagglecxr.models.batch_norm import RECALIBRATED, recalibrate_batch_norm
from kagglecxr.models.weights.hdf5 import save_weights
from kagglecxr.training.callbacks.resume_checkpoint import EpochLog
from kagglecxr.training.fold_data import FoldData
from kagglecxr.training.fold_novelty import learn_novelty
from kagglecxr.training.run_spec import RunSpec
from kagglecxr.training.stage import (
    CallbackFactory,
    StageResult,
    StageSpec,
    StageTrainer,
    StopReason,
    load_stage,
    save_stage,
)


@dataclass(frozen=True)
class FoldSummary:
    """The contents of fold.json.

    Attributes:
        seconds: of training, validation at each epoch's end included.
        parameters: numbers of "all" and of "trainable" parameters.
        last_epoch: the last line of the history.
    """

    seconds: float
    parameters: dict[str, int]
    last_epoch: dict[str, float]
    ended: StopReason = "whole"

    @classmethod
    def read(cls, folder: Path) -> "FoldSummary":
        """Reads fold.json of a finished fold."""
        return cls(**read_json(folder / "fold.json"))

    def write(self, folder: Path) -> None:
        """Writes fold.json, last of all: a fold without it is not finished."""
        write_json(folder / "fold.json", asdict(self))


@dataclass(frozen=True)
class FoldOptions:
    """How one fold is trained, besides what its run is.

    Attributes:
        weights: returns the files that the fold starts from; called only if it is not finished.
        unlabelled: returns pseudo-labelled images to learn from as well; called likewise.
        callbacks: makes callbacks that are called before the fold's own, so that what they save is
            never an epoch behind.
        budget: where the epochs do not fit into it, the fold ends with its best epoch so far.
        learn_novelty: fit what tells unusual images, which takes one more pass over the images.
    """

    weights: Callable[[], Sequence[Path]] = tuple
    unlabelled: Callable[[], PseudoLabelledImages | None] = lambda: None
    callbacks: CallbackFactory = lambda _: ()
    budget: TimeBudget | None = None
    learn_novelty: bool = True


def train_fold(
    run: RunSpec,
    fold: int,
    reporter: Reporter,
    options: FoldOptions = FoldOptions(),
) -> FoldSummary:
    """Trains, saves weights and history, and predicts the held-out images.

    A finished fold is only read; an interrupted one resumes after its last whole epoch, and ends
    with the same weights as if it had never stopped. Its folder holds the weights, history.csv, the
    TensorBoard log, validation.npz, novelty.npz, and fold.json, which is written last.
    """
    folder = run.fold_folder(fold)
    if (folder / "fold.json").is_file():
        return FoldSummary.read(folder)
    # First of all, since it may predict with other models; each stage sets its own seed.
    data = FoldData(run.task, run.fold_of, fold, options.unlabelled())
    fold_seed = derive_seed(run.seed, "fold", fold)
    epochs = sum(stage.epochs for stage in run.recipe.in_stages())
    trainer = StageTrainer(
        data, folder, f"Fold {fold}", epochs, reporter, options.callbacks, options.budget
    )
    result, history = _train_stages(trainer, _stages(run, folder, fold_seed), options.weights)
    if result.stop_reason == "out of time":
        reporter.note(
            f"Fold {fold} was out of time in epoch {len(history)} of {epochs}; it keeps the best "
            f"one. To train it in full, remove {folder} and allow more time."
        )
    if run.recipe.batch_norm == RECALIBRATED:
        recalibrate_batch_norm(result.model, data.plain_images(run.recipe, fold_seed))
    by_view = {view: result.inputs.predict([view]) for view in resolve_views(run.recipe.views)}
    # Single views are kept, so that what they gain is known before they are used.
    data.predictions(by_view).save(folder / "validation.npz")
    if options.learn_novelty:
        random = np.random.default_rng(derive_seed(fold_seed, "novelty"))
        novelty = learn_novelty(result.model, data, random, result.inputs.pooled)
        novelty.save(folder / NOVELTY)
    return _finish(result, history, folder)


def _stages(run: RunSpec, folder: Path, seed: int) -> list[StageSpec]:
    *first, last = run.recipe.in_stages()
    stages = [
        StageSpec(recipe, folder / f"stage-{number}", derive_seed(seed, "stage", number))
        for number, recipe in enumerate(first, start=1)
    ]
    # The last stage's chance is the fold's: a recipe without stages is one with no others.
    return [*stages, StageSpec(last, folder / f"stage-{len(stages) + 1}", seed)]


def _train_stages(
    trainer: StageTrainer, stages: Sequence[StageSpec], weights: Callable[[], Sequence[Path]]
) -> tuple[StageResult, list[EpochLog]]:
    """Trains the stages that are not finished, each from the weights of the one before.

    Returns:
        The result of the last stage that was trained, and the history of all of them.
    """
    history: list[EpochLog] = []
    start: Sequence[Path] | None = None
    for stage in stages:
        if saved := load_stage(stage.folder):
            start, history = [saved[0]], history + saved[1]
            continue
        start = weights() if start is None else start
        result = trainer.train(stage, start, len(history))
        history += result.history
        if result.stop_reason == "out of time":
            break
        if stage is not stages[-1]:
            start = [save_stage(result, stage.folder)]
    return result, history


def _finish(result: StageResult, history: list[EpochLog], folder: Path) -> FoldSummary:
    write_table(folder / "history.csv", pd.DataFrame(history))
    save_weights(result.model, folder / WEIGHTS, optimizer=False)
    trainable = [int(np.prod(v.shape)) for v in result.model.trainable_weights]
    summary = FoldSummary(
        seconds=round(sum(epoch["seconds"] for epoch in history), 1),
        parameters={"all": result.model.count_params(), "trainable": sum(trainable)},
        last_epoch=history[-1],
        ended=result.stop_reason,
    )
    summary.write(folder)
    for state in folder.glob("stage-*"):
        shutil.rmtree(state)
    return summary
