"""What training minimises, by name."""

from collections.abc import Callable

import keras

from kagglecxr.core.registry import Registry

LOSSES = Registry[Callable[[int, float, float], keras.Loss]]("loss")


def make_loss(
    name: str, outputs: int, *, label_smoothing: float = 0.0, gamma: float = 2.0
) -> keras.Loss:
    """A loss for a model's probabilities, against one-hot targets or, for one unit, 0 and 1.

    Args:
        name: "cross_entropy", "binary_cross_entropy" (each output a question of its own) or
            "focal".
        outputs: the model's; with one sigmoid unit every loss is the binary one.
        label_smoothing: share of each label spread over all classes.
        gamma: of the focal loss, how little images count that are right already; 0 makes it the
            cross-entropy.

    Raises:
        UnknownNameError: no such loss; the nearest three are named.
    """
    return LOSSES[name](outputs, label_smoothing, gamma)


@LOSSES.add
def cross_entropy(outputs: int, label_smoothing: float, gamma: float) -> keras.Loss:
    """Minus the logarithm of the right class's probability."""
    if outputs == 1:
        return binary_cross_entropy(outputs, label_smoothing, gamma)
    return keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing)


@LOSSES.add
def binary_cross_entropy(outputs: int, label_smoothing: float, gamma: float) -> keras.Loss:
    """The mean over the outputs of each one's own cross-entropy."""
    return keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)


@LOSSES.add
def focal(outputs: int, label_smoothing: float, gamma: float) -> keras.Loss:
    """Cross-entropy in which easy images count little (Lin et al. 2017, eq. 4).

    Classes are weighed alike: batches are balanced already.
    """
    if outputs == 1:
        return keras.losses.BinaryFocalCrossentropy(gamma=gamma, label_smoothing=label_smoothing)
    return keras.losses.CategoricalFocalCrossentropy(
        alpha=1.0, gamma=gamma, label_smoothing=label_smoothing
    )
