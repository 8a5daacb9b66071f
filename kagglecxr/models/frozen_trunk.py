"""Freezes layers of a model, and splits it where learning starts."""

from typing import Any

import keras
from keras import layers, tree

from kagglecxr.core.registry import unknown_name_error
from kagglecxr.models.model_card import Tensor

HEAD = "head"
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)


def set_trainable(model: keras.Model, backbone: keras.Model, trainable: str) -> None:
    """Freezes all of a model below some layer.

    Args:
        model: the flat model.
        backbone: the part below the head, sharing its layers; all but the last layer of a net
            with its own head.
        trainable: "all"; "head" for what stands on the backbone; "last_conv" or "last_2_conv"
            for that and the last convolutions with what follows them; or the name of the first
            layer that learns.

    Raises:
        UnknownNameError: no layer has that name; the nearest three are given.
    """
    if trainable == "all":
        return
    inside = {id(layer) for layer in backbone.layers}
    names = [layer.name for layer in model.layers]
    if trainable == HEAD:
        frozen = [id(layer) in inside for layer in model.layers]
    else:
        start = names.index(_first_trainable(model, backbone, trainable, names))
        frozen = [number < start for number in range(len(names))]
    for layer, freeze in zip(model.layers, frozen, strict=True):
        layer.trainable = not freeze


def _first_trainable(
    model: keras.Model, backbone: keras.Model, trainable: str, names: list[str]
) -> str:
    counts = {"last_conv": 1, "last_2_conv": 2}
    if trainable in counts:
        convolutions = [layer.name for layer in backbone.layers if isinstance(layer, _CONVOLUTIONS)]
        return str(convolutions[-counts[trainable]])
    if trainable not in names:
        raise unknown_name_error(f"layer of {model.name}", trainable, names)
    return trainable


def split_frozen_trunk(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The half that need be asked once about an image, and the half that learns from its answers.

    The first holds every layer that neither learns nor draws at random and stands on none that
    does, as the frozen layers of a backbone and the pooling of their features. Both halves share
    the model's layers: once the second has learned, so has the model.

    Returns:
        Image to features, one tensor or a list of them, and these features to the model's output.
    """
    fixed: set[int] = set()
    crossing: dict[int, Tensor] = {}
    for operation in model.operations:
        inputs = tree.flatten(operation.input)
        if all(id(tensor) in fixed for tensor in inputs) and _is_fixed(operation):
            fixed |= {id(tensor) for tensor in tree.flatten(operation.output)}
        elif isinstance(operation, keras.layers.InputLayer):
            fixed.add(id(operation.output))
        else:
            crossing |= {id(tensor): tensor for tensor in inputs if id(tensor) in fixed}
    features = list(crossing.values())
    between = features[0] if len(features) == 1 else features
    return keras.Model(model.input, between), keras.Model(between, model.output)


def _is_fixed(operation: Any) -> bool:
    if isinstance(operation, keras.layers.InputLayer):
        return False
    if not isinstance(operation, keras.layers.Layer):
        return True
    # Layers that are random say so by their generator, and are still only where they are frozen.
    learns = bool(operation.weights) or hasattr(operation, "seed_generator")
    return not (operation.trainable and learns)
