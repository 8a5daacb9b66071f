"""What a model is compiled with: its loss, its optimiser, and how the learning rate goes."""

from collections.abc import Sequence
from typing import Any

import keras

from kagglecxr.models.losses import make_loss
from kagglecxr.training.recipe import Recipe

_IMPROVEMENT = 1e-4
"""By how much a validation loss must fall to count, as in Keras' ReduceLROnPlateau."""


def compile_model(model: keras.Model, recipe: Recipe, steps: int) -> None:
    """Sets loss and optimiser.

    Args:
        model: what learns.
        recipe: of one stage.
        steps: batches of the whole stage, over which the rate rises and falls.
    """
    loss = make_loss(
        recipe.loss,
        model.output_shape[-1],
        label_smoothing=recipe.label_smoothing,
        gamma=recipe.focal_gamma,
    )
    model.compile(make_optimizer(model, recipe, steps), loss, metrics=["accuracy"])


def make_optimizer(model: keras.Model, recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """The recipe's optimiser; with a `layer_decay`, lower layers learn at lower rates.

    Args:
        model: what learns.
        recipe: of one stage.
        steps: batches of the whole stage.
    """
    options: dict[str, Any] = {"learning_rate": _learning_rate(recipe, steps)}
    if recipe.optimizer == "adamw":
        options["weight_decay"] = recipe.weight_decay
    if recipe.ema:
        options |= {"use_ema": True, "ema_momentum": recipe.ema}
    optimizer = keras.optimizers.get({"class_name": recipe.optimizer, "config": options})
    if recipe.layer_decay == 1.0:
        return optimizer
    by_path = layer_rate_multipliers(model, recipe.layer_decay)
    shares = [by_path[variable.path] for variable in model.trainable_variables]
    return _layered(type(optimizer), shares).from_config(optimizer.get_config())


def layer_rate_multipliers(model: keras.Model, decay: float) -> dict[str, float]:
    """The share of the learning rate that each variable learns at, by its path.

    The last dense layer's is 1, and each convolution or dense layer's below is `decay` times that
    of the next (Howard and Ruder 2018, section 3.2, "discriminative fine-tuning"). What stands
    after a convolution, as its batch normalisation, learns as it does.
    """
    rung = -1
    rungs: dict[str, int] = {}
    for layer in model.layers:
        rung += any(len(variable.shape) > 1 for variable in layer.trainable_variables)
        rungs |= {variable.path: max(rung, 0) for variable in layer.trainable_variables}
    return {path: decay ** (max(rung, 0) - own) for path, own in rungs.items()}


def plateau_rate(recipe: Recipe, losses: Sequence[float]) -> float:
    """The rate of the next epoch under the schedule "plateau", as Keras' ReduceLROnPlateau has it.

    A function of what went before, so that a training that was killed goes on at the same rate.

    Args:
        recipe: of one stage.
        losses: the validation losses of its epochs so far.
    """
    rate, best, waited = recipe.learning_rate, float("inf"), 0
    for loss in losses:
        waited += 1
        if loss < best - _IMPROVEMENT:
            best, waited = loss, 0
        elif waited >= recipe.plateau_patience:
            rate, waited = rate * recipe.plateau_factor, 0
    return rate


def _learning_rate(
    recipe: Recipe, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
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


def _layered(
    kind: type[keras.optimizers.Optimizer], shares: Sequence[float]
) -> type[keras.optimizers.Optimizer]:
    """An optimiser whose variables, in the order it was built with, learn at shares of the rate."""

    class Layered(kind):  # type: ignore[misc]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            share = shares[self._get_variable_index(variable)]
            super().update_step(gradient, variable, learning_rate * share)

    return Layered
