"""Which layers learn."""

import keras
from keras import layers

from kagglecxr.core.registry import unknown

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
        raise unknown(f"layer of {model.name}", trainable, names)
    return trainable
