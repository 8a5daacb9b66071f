"""Learning-rate schedules: cosine decay or a constant rate after a warm-up, and plateaus."""

from collections.abc import Sequence
from typing import Any

import keras

from kagglecxr.training.callbacks.resume_checkpoint import ResumeCheckpoint
from kagglecxr.training.recipe import Recipe

_MIN_DELTA = 1e-4
"""By how much a validation loss must fall to count, as in Keras' ReduceLROnPlateau."""


def learning_rate(
    recipe: Recipe, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate of a stage of so many batches, as an optimizer takes it."""
    if recipe.schedule == "plateau":
        return recipe.learning_rate
    warmup = round(recipe.warmup * steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 100 if warmup else recipe.learning_rate,
        decay_steps=max(steps - warmup, 1),
        alpha=0.01 if recipe.schedule == "cosine" else 1.0,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def plateau_rate(recipe: Recipe, losses: Sequence[float]) -> float:
    """The rate of the next epoch under the schedule "plateau", as Keras' ReduceLROnPlateau has it.

    It is computed from all validation losses so far, so that an interrupted training resumes at the
    same rate.
    """
    rate, best, waited = recipe.learning_rate, float("inf"), 0
    for loss in losses:
        waited += 1
        if loss < best - _MIN_DELTA:
            best, waited = loss, 0
        elif waited >= recipe.plateau_patience:
            rate, waited = rate * recipe.plateau_factor, 0
    return rate


class PlateauSchedule(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the rate of each epoch under the schedule "plateau"; does nothing under another."""

    def __init__(self, recipe: Recipe, checkpoint: ResumeCheckpoint) -> None:
        super().__init__()
        self._recipe, self._checkpoint = recipe, checkpoint

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sets the rate of this epoch."""
        if self._recipe.schedule == "plateau":
            self.model.optimizer.learning_rate = plateau_rate(self._recipe, self._checkpoint.losses)
