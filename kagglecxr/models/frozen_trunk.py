"""Freezes layers of a model, and splits a model where training starts."""

from typing import Any

import keras
from keras import KerasTensor, layers, tree

from kagglecxr.core.registry import unknown_name_error

HEAD = "head"
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)


def set_trainable(model: keras.Model, backbone: keras.Model, trainable: str) -> None:
    """Freezes the layers of a model below the first one that is to be trained.

    Args:
        model: the flat model.
        backbone: the part below the head; of a net, all but its last layer.
        trainable: "all"; "head" for what stands on the backbone; "last_conv" or "last_2_conv"
            for that and the last convolutions with what follows them; or the name of the first
            trainable layer.

    Raises:
        UnknownNameError: no layer has that name; the nearest three are given.
    """
    if trainable == "all":
        return
    in_backbone = {id(layer) for layer in backbone.layers}
    names = [layer.name for layer in model.layers]
    if trainable == HEAD:
        frozen = [id(layer) in in_backbone for layer in model.layers]
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
    """Splits a model into a trunk whose features of an image never change, and the trained rest.

    The trunk holds every layer that is neither trained nor random and depends on no such layer: the
    frozen layers of a backbone and the pooling of their features. Both parts share the model's
    layers, so training the second trains the model. Of a model with several outputs, those that
    never change are features too.

    Returns:
        The trunk, from images to features (one tensor or a list of them), and the rest, from these
        features to the model's output.
    """
    fixed: set[int] = set()
    features: dict[int, KerasTensor] = {}
    for operation in model.operations:
        inputs = tree.flatten(operation.input)
        if all(id(tensor) in fixed for tensor in inputs) and _is_fixed(operation):
            fixed |= {id(tensor) for tensor in tree.flatten(operation.output)}
        elif isinstance(operation, layers.InputLayer):
            fixed.add(id(operation.output))
        else:
            features |= {id(tensor): tensor for tensor in inputs if id(tensor) in fixed}
    features |= {id(tensor): tensor for tensor in model.outputs if id(tensor) in fixed}
    outputs = list(features.values())
    between = outputs[0] if len(outputs) == 1 else outputs
    # Keras has no models whose output is their input.
    ends = [layers.Identity()(t) if id(t) in fixed else t for t in model.outputs]
    rest = keras.Model(between, ends if len(ends) > 1 else ends[0])
    return keras.Model(model.input, between), rest


def _is_fixed(operation: Any) -> bool:
    if isinstance(operation, layers.InputLayer):
        return False
    if not isinstance(operation, layers.Layer):
        return True
    # Random layers have a seed generator, and are deterministic only where they are frozen.
    changes = bool(operation.weights) or hasattr(operation, "seed_generator")
    return not (operation.trainable and changes)
