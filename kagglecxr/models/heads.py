"""Heads: pooling, dense layers, logits and probabilities on a model's last features."""

from collections.abc import Callable, Sequence

from keras import KerasTensor, layers

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import Registry
from kagglecxr.models.layers import GeneralizedMeanPooling2D

POOLINGS = Registry[Callable[[KerasTensor, str], KerasTensor]]("pooling")
"""Each takes a feature map and the name of its layer."""

DROPOUT = 0.2


@POOLINGS.add
def average(x: KerasTensor, name: str) -> KerasTensor:
    """Global average pooling: how much of a pattern there is."""
    return layers.GlobalAveragePooling2D(name=name)(x)


@POOLINGS.add_as("max")
def maximum(x: KerasTensor, name: str) -> KerasTensor:
    """Global maximum pooling: whether a pattern is anywhere."""
    return layers.GlobalMaxPooling2D(name=name)(x)


@POOLINGS.add
def average_max(x: KerasTensor, name: str) -> KerasTensor:
    """Global average and maximum pooling, concatenated."""
    pooled = [
        layers.GlobalAveragePooling2D(name=f"{name}_average")(x),
        layers.GlobalMaxPooling2D(name=f"{name}_max")(x),
    ]
    return layers.Concatenate(name=name)(pooled)


@POOLINGS.add
def gem(x: KerasTensor, name: str) -> KerasTensor:
    """Generalised-mean pooling with a learned exponent (Radenović et al. 2019)."""
    return GeneralizedMeanPooling2D(name=name)(x)


def logits(x: KerasTensor, units: int) -> KerasTensor:
    """Adds the last dense layer, in float32 under mixed precision too."""
    return layers.Dense(units, dtype="float32", name="logits")(x)


def mask_logits(x: KerasTensor, units: int) -> KerasTensor:
    """Adds the last convolution of a segmenter, a dense layer for each pixel."""
    return layers.Conv2D(units, 1, dtype="float32", name="logits")(x)


def probabilities(x: KerasTensor, *, multilabel: bool = False) -> KerasTensor:
    """Adds the output activation: a sigmoid for one unit or for findings, else a softmax."""
    activation = "sigmoid" if x.shape[-1] == 1 or multilabel else "softmax"
    return layers.Activation(activation, dtype="float32", name="probabilities")(x)


def pooled_head(
    x: KerasTensor,
    units: int,
    *,
    before: Sequence[KerasTensor] = (),
    pooling: str = "average",
    dense: Sequence[int] = (),
    dropout: float = DROPOUT,
    dropout_samples: int = 1,
) -> KerasTensor:
    """Adds pooling, dense layers, dropout and logits to a backbone's features (h, w, channels).

    Args:
        x: a backbone's last feature map.
        units: number of logits.
        before: feature maps of earlier layers, which are pooled likewise.
        pooling: "average", "max", "average_max" or "gem".
        dense: units of dense ReLU layers in between.
        dropout: dropout rate before the logits; 0 for no such layer.
        dropout_samples: number of dropout masks over which logits are averaged in training
            (multi-sample dropout, Inoue 2019).

    Raises:
        UnknownNameError: no such pooling.
        SettingError: `dropout_samples` is below 1.
    """
    if dropout_samples < 1:
        raise SettingError(
            f"dropout_samples is at least 1. Received: dropout_samples={dropout_samples}. "
            "Use 1, or about 5 for multi-sample dropout."
        )
    pool = POOLINGS[pooling]
    pooled = [pool(features, f"pool{number}") for number, features in enumerate(before, start=1)]
    x = pool(x, "pool")
    if pooled:
        x = layers.Concatenate(name="pool_depths")([*pooled, x])
    for number, width in enumerate(dense, start=1):
        x = layers.Dense(width, activation="relu", name=f"dense{number}")(x)
    if not dropout:
        return logits(x, units)
    if dropout_samples == 1:
        return logits(layers.Dropout(dropout, name="dropout")(x), units)
    last = layers.Dense(units, dtype="float32", name="logits")
    drops = [layers.Dropout(dropout, name=f"dropout{k + 1}") for k in range(dropout_samples)]
    samples = [last(drop(x)) for drop in drops]
    return layers.Average(dtype="float32", name="mean_logits")(samples)
