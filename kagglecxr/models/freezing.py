"""Which layers learn, and what batch normalisation does while they do."""

import keras
from keras import layers

from kagglecxr.core.errors import SettingError
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


def set_batch_norm(backbone: keras.Model, batch_norm: str | float) -> None:
    """Chooses what a backbone's batch normalisation does in training.

    keras.applications' MobileNets forget only a thousandth of their statistics a step, while a
    short fine-tuning has a few hundred steps: left alone, they predict with statistics of neither
    ImageNet nor X-rays.

    Args:
        backbone: the part below the head.
        batch_norm: "frozen" keeps the pre-trained statistics, scale and offset; a number is the
            momentum with which new statistics are gathered.

    Raises:
        SettingError: neither of these.
    """
    norms = [x for x in backbone.layers if isinstance(x, layers.BatchNormalization)]
    if batch_norm == "frozen":
        for layer in norms:
            layer.trainable = False
        return
    try:
        momentum = float(batch_norm)
    except ValueError:
        momentum = -1.0
    if not 0.0 < momentum < 1.0:
        raise SettingError(
            f"Batch normalisation is 'frozen' or a momentum between 0 and 1. Received: "
            f"{batch_norm!r}. Use 'frozen' or 0.9."
        )
    for layer in norms:
        layer.momentum = momentum
