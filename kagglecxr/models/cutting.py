"""A model in two halves: what gives an image the same features every time, and what learns."""

from typing import Any

import keras
from keras import tree

from kagglecxr.models.card import Tensor


def cut_where_learning_starts(model: keras.Model) -> tuple[keras.Model, keras.Model]:
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
