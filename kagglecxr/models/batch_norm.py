"""Batch normalisation: what it does in training, and the statistics it predicts with.

keras.applications' MobileNets update their statistics by a thousandth per step, while a short
fine-tuning has a few hundred steps: by default they would predict with statistics of neither
ImageNet nor X-rays.
"""

from collections.abc import Iterable

import keras
from keras import KerasTensor, layers

from kagglecxr.core.errors import SettingError

FROZEN = "frozen"
RECALIBRATED = "recalibrated"
_MOMENTUM = 0.9
"""Of statistics that are replaced in the end: good enough for validation during training."""


def set_batch_norm(backbone: keras.Model, choice: str | float) -> None:
    """Sets how a backbone's batch normalisation behaves in training.

    "frozen" keeps the pre-trained statistics, scale and offset; a number is the momentum of the
    moving statistics; "recalibrated" updates them as well, for `recalibrate_batch_norm` to replace
    them after training.

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


def recalibrate_batch_norm(model: keras.Model, batches: Iterable[KerasTensor]) -> None:
    """Replaces moving statistics by their means over batches, with all weights fixed (PreciseBN).

    Frozen layers keep theirs. Some hundred images (batch, H, W, C) as in training are enough; all
    batches weigh the same. After Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm", section 3.
    """
    norms = [layer for layer in _norms(model) if layer.trainable]
    drops = [layer for layer in model.layers if isinstance(layer, layers.Dropout)]
    momenta, rates = [layer.momentum for layer in norms], [layer.rate for layer in drops]
    try:
        for layer in drops:
            layer.rate = 0.0
        for number, images in enumerate(batches):
            for layer in norms:
                # The mean so far weighs as much as the batches it is made of.
                layer.momentum = number / (number + 1)
            model(images, training=True)
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
        for layer, rate in zip(drops, rates, strict=True):
            layer.rate = rate


def _norms(model: keras.Model) -> list[layers.BatchNormalization]:
    return [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
