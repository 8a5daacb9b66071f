"""Saves a model's weights, whole or not at all."""

import math
from pathlib import Path

import keras
import numpy as np

from kagglecxr.core.files import assert_room, written_whole


def save_weights(model: keras.Model, path: Path, *, optimizer: bool = True) -> None:
    """Writes a `.weights.h5`, whole or not at all.

    Args:
        model: whose weights.
        path: the file.
        optimizer: whether the optimiser's state is kept too, if the model is compiled.

    Raises:
        OSError: the disk is full.
    """
    if not optimizer:
        model = without_optimizer(model)
    # Only a compiled model has the attribute at all.
    state = getattr(model, "optimizer", None)
    kept = [*model.variables, *(state.variables if state else [])]
    overhead = 2**20
    assert_room(path.parent, sum(_bytes(variable) for variable in kept) + overhead)
    with written_whole(path) as beside:
        model.save_weights(beside)


def without_optimizer(model: keras.Model) -> keras.Model:
    """The same layers as a model that was never compiled, and so has no optimiser to keep."""
    return keras.Model(model.inputs, model.outputs, name=model.name)


def _bytes(variable: keras.Variable) -> int:
    return int(math.prod(variable.shape) * np.dtype(variable.dtype).itemsize)
