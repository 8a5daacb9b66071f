"""Saves a model's weights, whole or not at all."""

import math
from pathlib import Path

import keras
import numpy as np

from kagglecxr.core.files import assert_room, written_whole


def save_weights(model: keras.Model, path: Path) -> None:
    """Writes a `.weights.h5`, with the optimiser's state if the model is compiled; whole or not.

    Raises:
        OSError: the disk is full.
    """
    # Only a compiled model has the attribute at all.
    optimizer = getattr(model, "optimizer", None)
    kept = [*model.variables, *(optimizer.variables if optimizer else [])]
    overhead = 2**20
    assert_room(path.parent, sum(_bytes(variable) for variable in kept) + overhead)
    with written_whole(path) as beside:
        model.save_weights(beside)


def _bytes(variable: keras.Variable) -> int:
    return int(math.prod(variable.shape) * np.dtype(variable.dtype).itemsize)
