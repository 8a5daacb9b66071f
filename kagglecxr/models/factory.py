"""Builds any model of the zoo by its name."""

from pathlib import Path
from typing import Any

import keras

from kagglecxr.core.augmentation_settings import AugmentationSettings
from kagglecxr.core.errors import SettingError
from kagglecxr.models import backbones, scratch  # noqa: F401 importing them fills the registry
from kagglecxr.models.augmentation_layers import augmentation_layers
from kagglecxr.models.card import MODELS
from kagglecxr.models.freezing import set_batch_norm, set_trainable
from kagglecxr.models.heads import answer, logits, pooled_head
from kagglecxr.models.weights import Weights, find_weights, load_weights


def list_models(pattern: str = "*") -> list[str]:
    """The zoo's names that match a shell pattern.

    >>> list_models("mobilenet_v2_035")
    ['mobilenet_v2_035']
    """
    return MODELS.names(pattern)


def create_model(
    name: str,
    *,
    num_classes: int,
    input_shape: tuple[int, int, int],
    weights: Weights = None,
    trainable: str = "all",
    batch_norm: str | float | None = None,
    augmentation: AugmentationSettings | None = None,
    **kwargs: Any,
) -> keras.Model:
    """Builds a model that takes raw pixels and answers with probabilities.

    The model is flat: no model nested in it, so that any layer can be explained. Scaling and the
    repeat to three channels happen inside.

    Args:
        name: the zoo's name, see `list_models`.
        num_classes: output classes; 1 means one sigmoid unit, else a softmax.
        input_shape: (H, W, 1 or 3), pixels 0..255.
        weights: None for chance, "imagenet", the file of a backbone's weights, a folder that
            holds it, or a `.weights.h5` of this very model.
        trainable: "all", "head", "last_conv", "last_2_conv", or the first layer that learns.
        batch_norm: "frozen" or a momentum, see `set_batch_norm`; as the model has it where None.
        augmentation: changes training images in layers between input and scaling, whatever its
            `where`; weights load with and without them. No such layers where None.
        **kwargs: what the model or its head takes, as `dropout` or `pooling`.

    Raises:
        UnknownNameError: no such model; the nearest three are named.
        SettingError: a shape or an argument the model cannot have.
        WeightsError, MissingError: weights that do not fit or are not there.
    """
    card = MODELS[name]
    _check(num_classes, input_shape)
    inputs = keras.Input(input_shape, name="image")
    image = inputs
    for layer in augmentation_layers(augmentation) if augmentation else ():
        image = layer(image)
    try:
        if card.is_backbone:
            features = card.build(image)
            scores = pooled_head(features, num_classes, **kwargs)
        else:
            features = card.build(image, **kwargs)
            scores = logits(features, num_classes)
    except TypeError as error:
        raise SettingError(
            f"A model does not take these arguments. Received: {sorted(kwargs)} for {name} "
            f"({error}). Leave out what it does not know."
        ) from error
    except ValueError as error:
        raise SettingError(
            f"A model cannot be built on this input. Received: input_shape={input_shape} for "
            f"{name} ({' '.join(str(error).split())[:160]}). It was made for {card.input_size} "
            "pixels; use a larger input."
        ) from error
    model = keras.Model(inputs, answer(scores), name=name)
    backbone = keras.Model(inputs, features, name=f"{name}_backbone")
    if weights is not None:
        path = find_weights(card, weights)
        load_weights(_owner(path, model, backbone), path)
    set_trainable(model, backbone, trainable)
    if batch_norm is not None:
        set_batch_norm(backbone, batch_norm)
    return model


def _owner(path: Path, model: keras.Model, backbone: keras.Model) -> keras.Model:
    """A `.weights.h5` is of a whole model; Keras' own downloads are of a backbone."""
    return model if path.name.endswith(".weights.h5") else backbone


def _check(num_classes: int, input_shape: tuple[int, int, int]) -> None:
    if num_classes < 1:
        raise SettingError(
            f"A model has at least one output class. Received: num_classes={num_classes}. "
            "Use 1 for one sigmoid unit, 2 or more for a softmax."
        )
    if len(input_shape) != 3 or input_shape[2] not in (1, 3) or min(input_shape) < 1:
        raise SettingError(
            f"An input is (height, width, 1 or 3 channels). Received: {input_shape}. "
            "Use (224, 224, 1) for grey X-rays."
        )
