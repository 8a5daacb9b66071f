"""Learning-rate schedules: cosine decay or a constant rate after a warm-up, and plateaus.

A callback sets the rate. As part of the graph, a schedule is evaluated once for each variable whose
weights decay, which takes a third of the time in which the graph is traced.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

from kagglecxr.training.recipe import Recipe

_MIN_DELTA = 1e-4
"""By how much a validation loss must fall to count, as in Keras' ReduceLROnPlateau."""


def scheduled_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of a step, of so many steps, under the schedule "cosine" or "constant".

    It rises linearly from a hundredth of the recipe's rate over the warm-up, then stays or falls to
    a hundredth, as Keras' CosineDecay has it (Loshchilov and Hutter 2017, SGDR, equation 5).
    """
    warmup = round(recipe.warmup * steps)
    if step < warmup:
        return recipe.learning_rate * (0.01 + 0.99 * step / warmup)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    progress = min((step - warmup) / max(steps - warmup, 1), 1.0)
    return recipe.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)


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


class RateSchedule(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the optimizer's rate before each batch, or before each epoch under "plateau".

    A stage has `recipe.epochs` epochs of `steps` batches; `epochs_before` others came before it.
    `losses` returns the validation losses of its epochs so far.
    """

    def __init__(
        self,
        recipe: Recipe,
        steps: int,
        epochs_before: int,
        losses: Callable[[], Sequence[float]],
    ) -> None:
        super().__init__()
        self._recipe, self._steps, self._losses = recipe, steps, losses
        self._epochs_before, self._step = epochs_before, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sets the rate of this epoch."""
        self._step = (epoch - self._epochs_before) * self._steps
        if self._recipe.schedule == "plateau":
            self.model.optimizer.learning_rate = plateau_rate(self._recipe, self._losses())

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Sets the rate of this batch."""
        if self._recipe.schedule != "plateau":
            step, steps = self._step + batch, self._steps * self._recipe.epochs
            self.model.optimizer.learning_rate = scheduled_rate(self._recipe, step, steps)
