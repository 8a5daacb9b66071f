"""Whole models in Keras' own files: today's .keras and the older .h5."""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from kagglecxr.models.layers.pixel_operations import ImageNormalization

PredictFunction = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""From raw pixels (batch, H, W, 1 or 3) to probabilities (batch, classes)."""


def save_keras(model: keras.Model, path: Path) -> None:
    """Writes a .keras file."""
    model.save(path)


def save_h5(model: keras.Model, path: Path) -> None:
    """Writes an .h5 file, with another layer in the place of one it would not keep."""
    kept = keras.models.clone_model(model, clone_function=_kept_by_h5, recursive=True)
    kept.set_weights(model.get_weights())
    with quiet_converters():
        kept.save(path)


def _kept_by_h5(layer: layers.Layer) -> layers.Layer:
    config = layer.get_config()
    if type(layer) is layers.LayerNormalization and sorted(np.atleast_1d(layer.axis)) == [1, 2, 3]:
        del config["axis"]
        return ImageNormalization.from_config(config)
    return type(layer).from_config(config)


def load_keras(path: Path) -> PredictFunction:
    """What a .keras or .h5 file answers."""
    with quiet_converters():
        model = keras.saving.load_model(path)

    def answers(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(keras.ops.convert_to_numpy(model(images)))

    return answers


@contextlib.contextmanager
def quiet_converters() -> Iterator[None]:
    """Silences what Keras and converters say of their own ways: no user can mend it."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
