"""Training losses, by name."""

from collections.abc import Callable

import keras
from keras import KerasTensor

from kagglecxr.core.registry import Registry

LOSSES = Registry[Callable[[int, float, float], keras.Loss]]("loss")
MASK_LOSSES = Registry[Callable[[], keras.Loss]]("loss of masks")
"""Losses of masks (batch, H, W, 1), from 0 to 1, and of probabilities of that shape."""


def make_loss(
    name: str, outputs: int, *, label_smoothing: float = 0.0, gamma: float = 2.0
) -> keras.Loss:
    """Returns a loss of probabilities and one-hot targets or, for one unit, 0 and 1.

    Args:
        name: of a registered loss.
        outputs: the model's number of outputs; with one sigmoid unit every loss is binary.
        label_smoothing: share of each label spread over all classes.
        gamma: how strongly the focal loss down-weights easy images; 0 gives the cross-entropy.

    Raises:
        UnknownNameError: no such loss; the nearest three are given.
    """
    return LOSSES[name](outputs, label_smoothing, gamma)


@LOSSES.add
def cross_entropy(outputs: int, label_smoothing: float, gamma: float) -> keras.Loss:
    """Categorical cross-entropy."""
    if outputs == 1:
        return binary_cross_entropy(outputs, label_smoothing, gamma)
    return keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing)


@LOSSES.add
def binary_cross_entropy(outputs: int, label_smoothing: float, gamma: float) -> keras.Loss:
    """Mean over the outputs of each one's binary cross-entropy."""
    return keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)


@LOSSES.add
def focal(outputs: int, label_smoothing: float, gamma: float) -> keras.Loss:
    """Focal loss (Lin et al. 2017, eq. 4), without class weights since batches are balanced."""
    if outputs == 1:
        return keras.losses.BinaryFocalCrossentropy(gamma=gamma, label_smoothing=label_smoothing)
    return keras.losses.CategoricalFocalCrossentropy(
        alpha=1.0, gamma=gamma, label_smoothing=label_smoothing
    )


@MASK_LOSSES.add_as("cross_entropy")
def mask_cross_entropy() -> keras.Loss:
    """Mean over the pixels of the binary cross-entropy."""
    return keras.losses.BinaryCrossentropy()


@MASK_LOSSES.add
def dice() -> keras.Loss:
    """1 - Dice of each image, then the mean (Milletari et al. 2016), so that small lungs count."""
    return keras.losses.Dice(axis=(1, 2, 3))


@MASK_LOSSES.add
def cross_entropy_dice() -> keras.Loss:
    """The sum of both: the gradients of the one, and the other's indifference to area."""
    return CrossEntropyDice()


@MASK_LOSSES.add
def tversky() -> keras.Loss:
    """Tversky loss of each image (Salehi et al. 2017) with 0.3 for false, 0.7 for missed pixels."""
    # Keras' alpha is of missed pixels, whatever its documentation says.
    return keras.losses.Tversky(alpha=0.7, beta=0.3, axis=(1, 2, 3))


class CrossEntropyDice(keras.Loss):  # type: ignore[misc]
    """The sum of `mask_cross_entropy` and `dice`, one value an image."""

    def call(self, y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
        """Returns (batch,) losses of masks (batch, H, W, 1)."""
        pixels = keras.losses.binary_crossentropy(y_true, y_pred)
        return keras.ops.mean(pixels, axis=(1, 2)) + keras.losses.dice(
            y_true, y_pred, axis=(1, 2, 3)
        )
