"""What batch normalisation does in training, and with which statistics it predicts.

keras.applications' MobileNets forget only a thousandth of their statistics a step, while a short
fine-tuning has a few hundred steps: left alone, they predict with statistics of neither ImageNet
nor X-rays.
"""

from collections.abc import Iterable

import keras
from keras import layers

from kagglecxr.core.errors import SettingError
from kagglecxr.models.model_card import Tensor

FROZEN = "frozen"
RECALIBRATED = "recalibrated"
_MOMENTUM = 0.9
"""Of statistics that are replaced in the end: good enough for what is seen on the way."""


def set_batch_norm(backbone: keras.Model, choice: str | float) -> None:
    """Chooses what a backbone's batch normalisation does in training.

    Args:
        backbone: the part below the head.
        choice: "frozen" keeps the pre-trained statistics, scale and offset; a number is the
            momentum with which new statistics are gathered; "recalibrated" gathers them too, for
            `recalibrate_batch_norm` to replace them after training.

    Raises:
        SettingError: none of these.
    """
    norms = _norms(backbone)
    if choice == FROZEN:
        for layer in norms:
            layer.trainable = False
        return
    try:
        momentum = _MOMENTUM if choice == RECALIBRATED else float(choice)
    except ValueError:
        momentum = -1.0
    if not 0.0 < momentum < 1.0:
        raise SettingError(
            f"Batch normalisation is '{FROZEN}', '{RECALIBRATED}' or a momentum between 0 and 1. "
            f"Received: {choice!r}. Use '{FROZEN}' or 0.9."
        )
    for layer in norms:
        layer.momentum = momentum


def recalibrate_batch_norm(model: keras.Model, batches: Iterable[Tensor]) -> None:
    """Replaces batch statistics by their plain means over batches, all weights as they are.

    Layers that do not learn keep theirs. After Wu and Johnson 2021, "Rethinking 'Batch' in
    BatchNorm", section 3 (PreciseBN).

    Args:
        model: a trained model.
        batches: images (batch, H, W, C) as in training, some hundred of them; each batch counts
            alike.
    """
    norms = [layer for layer in _norms(model) if layer.trainable]
    drops = [layer for layer in model.layers if isinstance(layer, layers.Dropout)]
    momenta, rates = [layer.momentum for layer in norms], [layer.rate for layer in drops]
    try:
        for layer in drops:
            layer.rate = 0.0
        for seen, images in enumerate(batches):
            for layer in norms:
                # The old mean weighs as much as the batches it is made of.
                layer.momentum = seen / (seen + 1)
            model(images, training=True)
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
        for layer, rate in zip(drops, rates, strict=True):
            layer.rate = rate


def _norms(model: keras.Model) -> list[layers.BatchNormalization]:
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
