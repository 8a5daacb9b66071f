"""Training losses, by name."""

from collections.abc import Callable

import keras

from kagglecxr.core.registry import Registry

LOSSES = Registry[Callable[[int, float, float], keras.Loss]]("loss")


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
