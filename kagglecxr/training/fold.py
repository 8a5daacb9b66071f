"""Trains one fold: on all others, and predicts the images of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.files import read_json, write_json, write_table
from kagglecxr.core.progress import Reporter
from kagglecxr.core.randomness import derive_seed
from kagglecxr.core.run import WEIGHTS
from kagglecxr.data.preparation import Prepared
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.batch_norm import RE_ESTIMATED, reestimate_batch_norm
from kagglecxr.models.factory import create_model
from kagglecxr.models.losses import make_loss
from kagglecxr.models.runtime import make_repeatable
from kagglecxr.models.weights.saving import save_weights
from kagglecxr.training.callbacks import EpochBar, Resume
from kagglecxr.training.fold_data import Fitting, FoldData
from kagglecxr.training.frozen_features import fitting_on_features, learns_on_features
from kagglecxr.training.recipe import Recipe


@dataclass(frozen=True)
class FoldSummary:
    """What a finished fold leaves besides its files.

    Attributes:
        seconds: of training, validation at each epoch's end included.
        parameters: the model's, "all" and "trainable".
        last_epoch: the last line of its history.
    """

    seconds: float
    parameters: dict[str, int]
    last_epoch: dict[str, float]


def input_shape(prepared: Prepared) -> tuple[int, int, int]:
    """(H, W, C) of the cached images."""
    _, height, width, *channels = prepared.cache.images.shape
    return height, width, channels[0] if channels else 1


def train_fold(
    prepared: Prepared,
    recipe: Recipe,
    fold_of: npt.NDArray[np.intp],
    fold: int,
    folder: Path,
    seed: int,
    reporter: Reporter,
    weights: Callable[[int], Sequence[Path]] = lambda fold: (),
    callbacks: Callable[[Fitting], Sequence[keras.callbacks.Callback]] = lambda fitting: (),
) -> FoldSummary:
    """Trains, saves weights and history, and predicts the held-out images.

    A finished fold is only read again; an interrupted one goes on after its last whole epoch, and
    ends with the same weights as if it had never stopped.

    Args:
        prepared: the data.
        recipe: how to train.
        fold_of: the fold of each training image, in the index's order.
        fold: which fold is held out.
        folder: where its files go: weights, history.csv, validation.npz, and fold.json last.
        seed: of the whole run.
        reporter: told of every batch.
        weights: the files that a fold starts from; asked only where it is not finished yet.
        callbacks: makes more callbacks, which are called before the fold's own, so that what they
            keep is never an epoch behind.
    """
    finished = folder / "fold.json"
    if finished.is_file():
        return FoldSummary(**read_json(finished))
    keras.utils.clear_session()
    fold_seed = derive_seed(seed, "fold", fold)
    make_repeatable(fold_seed)
    data = FoldData(prepared, fold_of, fold)
    model = build_model(prepared, recipe, weights(fold))
    if learns_on_features(recipe):
        fitting = fitting_on_features(data, model, recipe, fold_seed, reporter)
    else:
        fitting = data.fitting(model, recipe, fold_seed)
    batches = fitting.batches
    compile_model(fitting.model, recipe, steps=len(batches) * recipe.epochs)
    resume = Resume(folder)
    done = resume.restore(fitting.model)
    batches.epoch = done
    with reporter.bar(f"Fold {fold}", (recipe.epochs - done) * len(batches)) as bar:
        fitting.model.fit(
            batches,
            validation_data=fitting.validation,
            initial_epoch=done,
            epochs=recipe.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[*callbacks(fitting), resume, EpochBar(bar, f"Fold {fold}")],
        )
    if recipe.batch_norm == RE_ESTIMATED:
        reestimate_batch_norm(model, data.plain_images(recipe, fold_seed))
    answers = Predictions(data.held_out_ids(), fitting.answers(recipe.views), data.held_out_truth())
    answers.save(folder / "validation.npz")
    return _finish(model, resume, folder)


def build_model(prepared: Prepared, recipe: Recipe, weights: Sequence[Path] = ()) -> keras.Model:
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


def compile_model(model: keras.Model, recipe: Recipe, steps: int) -> None:
    """Sets loss and optimiser: the rate rises during the warm-up, then falls as a cosine."""
    warmup = round(recipe.warmup * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 100 if warmup else recipe.learning_rate,
        decay_steps=max(steps - warmup, 1),
        alpha=0.01,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    options = {"weight_decay": recipe.weight_decay} if recipe.optimizer == "adamw" else {}
    optimizer = keras.optimizers.get(
        {"class_name": recipe.optimizer, "config": {"learning_rate": rate, **options}}
    )
    model.compile(
        optimizer,
        make_loss(
            recipe.loss,
            model.output_shape[-1],
            label_smoothing=recipe.label_smoothing,
            gamma=recipe.focal_gamma,
        ),
        metrics=["accuracy"],
    )


def _finish(model: keras.Model, resume: Resume, folder: Path) -> FoldSummary:
    write_table(folder / "history.csv", pd.DataFrame(resume.history))
    # A model that was never compiled saves its weights without the optimiser's state.
    bare = keras.Model(model.inputs, model.outputs, name=model.name)
    save_weights(bare, folder / WEIGHTS)
    counts = [int(np.prod(v.shape)) for v in model.trainable_weights]
    summary = FoldSummary(
        seconds=round(sum(epoch["seconds"] for epoch in resume.history), 1),
        parameters={"all": model.count_params(), "trainable": sum(counts)},
        last_epoch=resume.history[-1],
    )
    write_json(folder / "fold.json", summary.__dict__)
    resume.forget()
    return summary
