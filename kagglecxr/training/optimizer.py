"""The optimizer of a stage, with layer-wise learning rates."""

from collections.abc import Sequence
from typing import Any

import keras

from kagglecxr.training.recipe import Recipe

MEMORIES = 5
"""How often a training is at least as long as the memory of the moving average of its weights."""


def make_optimizer(model: keras.Model, recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a stage; lower layers learn slower by `layer_decay`.

    In a training of few steps the moving average has a smaller momentum than the recipe's, so that
    the weights which it starts from are less than a hundredth of it at the end.

    Args:
        model: what it updates.
        recipe: of the stage.
        steps: batches of the whole stage.
    """
    options: dict[str, Any] = {"learning_rate": recipe.learning_rate}
    if recipe.optimizer == "adamw":
        options["weight_decay"] = recipe.weight_decay
    if recipe.ema:
        momentum = min(recipe.ema, max(1 - MEMORIES / steps, 0.0))
        options |= {"use_ema": True, "ema_momentum": momentum}
    optimizer = keras.optimizers.get({"class_name": recipe.optimizer, "config": options})
    if recipe.layer_decay == 1.0:
        return optimizer
    by_path = layer_rate_multipliers(model, recipe.layer_decay)
    multipliers = [by_path[variable.path] for variable in model.trainable_variables]
    return _layerwise(type(optimizer), multipliers).from_config(optimizer.get_config())


def layer_rate_multipliers(model: keras.Model, decay: float) -> dict[str, float]:
    """What the learning rate of each variable is multiplied by, by the variable's path.

    The last dense layer's is 1, and each convolution or dense layer's below is `decay` times that
    of the next (Howard and Ruder 2018, section 3.2, "discriminative fine-tuning"). A layer without
    a kernel, as batch normalisation, has the multiplier of the convolution before it.
    """
    depth = -1
    depths: dict[str, int] = {}
    for layer in model.layers:
        depth += any(len(variable.shape) > 1 for variable in layer.trainable_variables)
        depths |= {variable.path: max(depth, 0) for variable in layer.trainable_variables}
    return {path: decay ** (max(depth, 0) - own) for path, own in depths.items()}


def _layerwise(
    kind: type[keras.optimizers.Optimizer], multipliers: Sequence[float]
) -> type[keras.optimizers.Optimizer]:
    """A subclass that multiplies the rate of each variable, in the order it was built with."""

    class Layerwise(kind):  # type: ignore[misc]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            multiplier = multipliers[self._get_variable_index(variable)]
            super().update_step(gradient, variable, learning_rate * multiplier)

    return Layerwise
