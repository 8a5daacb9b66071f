"""Finds weights files and loads them, or says why they do not fit."""

import math
import os
import warnings
from pathlib import Path

import keras
import numpy as np

from kagglecxr.core.errors import MissingError, WeightsError
from kagglecxr.core.files import assert_room, written_whole
from kagglecxr.models.card import ModelCard

Weights = str | Path | None


def keras_models_folder() -> Path:
    """Where Keras keeps downloaded weights: $KERAS_HOME/models, or ~/.keras/models."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def has_imagenet_weights(card: ModelCard) -> bool:
    """Whether a model's ImageNet weights are on this machine already."""
    return bool(card.weights_file) and (keras_models_folder() / card.weights_file).is_file()


def find_weights(card: ModelCard, weights: str | Path) -> Path:
    """The file that `weights` means for a model.

    Args:
        card: the model's.
        weights: "imagenet", a file, or a folder that holds the model's ImageNet file.

    Raises:
        WeightsError: the model has no ImageNet weights.
        MissingError: the file is not there and cannot be fetched.
    """
    if str(weights) == "imagenet":
        return _imagenet_file(card)
    path = Path(weights)
    if path.is_dir() and card.weights_file:
        path = path / card.weights_file
    if not path.is_file():
        raise MissingError(
            f"A weights file is not there. Received: {weights} for {card.name} (looked for "
            f"{path}). {_where_to_get(card)}"
        )
    return path


def _imagenet_file(card: ModelCard) -> Path:
    if card.download is None:
        raise WeightsError(
            f"There are no ImageNet weights for this model. Received: weights='imagenet' for "
            f"{card.name}. Leave weights out to train it from scratch."
        )
    path = keras_models_folder() / card.weights_file
    if not path.is_file():
        try:
            card.download()
        except Exception as error:
            # Keras wraps every cause, no network above all, in a bare Exception.
            raise MissingError(
                f"The ImageNet weights of {card.name} could not be downloaded. Received: "
                f"{' '.join(str(error).split())[:200]}. {_where_to_get(card)}"
            ) from error
    return path


def _where_to_get(card: ModelCard) -> str:
    if not card.weights_file:
        return "Check the path."
    return (
        f"Get {card.weights_file} on a machine with a network (Keras puts it into "
        "~/.keras/models), and name its folder: --set weights=FOLDER. In an offline kernel, attach "
        "it as a dataset and name the mounted folder."
    )


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


def load_weights(model: keras.Model, path: Path) -> None:
    """Loads a weights file into a model, tensor by tensor.

    Raises:
        WeightsError: the file belongs to another model, or is damaged.
    """
    try:
        with warnings.catch_warnings():
            # Where whole layers are missing Keras only warns, and leaves them to chance.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(path)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        raise WeightsError(
            f"A weights file does not fit {model.name}, or is damaged. Received: {path} "
            f"({' '.join(str(error).split())[:200]}). Name the file of this very model, or fetch "
            "it again."
        ) from error
