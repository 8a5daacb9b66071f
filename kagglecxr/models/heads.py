"""What stands on a net's last features."""

from collections.abc import Callable, Sequence

from keras import layers

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import Registry
from kagglecxr.models.layers import GeneralizedMeanPooling2D
from kagglecxr.models.model_card import Tensor

POOLINGS = Registry[Callable[[Tensor], Tensor]]("pooling")

DROPOUT = 0.2


@POOLINGS.add
def average(x: Tensor) -> Tensor:
    """How much of a pattern there is."""
    return layers.GlobalAveragePooling2D(name="pool")(x)


@POOLINGS.add_as("max")
def maximum(x: Tensor) -> Tensor:
    """Whether a pattern is anywhere."""
    return layers.GlobalMaxPooling2D(name="pool")(x)


@POOLINGS.add
def average_max(x: Tensor) -> Tensor:
    """Both, one beside the other."""
    pooled = [
        layers.GlobalAveragePooling2D(name="pool_average")(x),
        layers.GlobalMaxPooling2D(name="pool_max")(x),
    ]
    return layers.Concatenate(name="pool")(pooled)


@POOLINGS.add
def gem(x: Tensor) -> Tensor:
    """Between the two, by an exponent that is learned (Radenović et al. 2019)."""
    return GeneralizedMeanPooling2D(name="pool")(x)


def logits(x: Tensor, units: int) -> Tensor:
    """The last dense layer, in float32 also under mixed precision."""
    return layers.Dense(units, dtype="float32", name="logits")(x)


def mask_logits(x: Tensor, units: int) -> Tensor:
    """The last convolution of a segmenter, a dense layer for each pixel."""
    return layers.Conv2D(units, 1, dtype="float32", name="logits")(x)


def probabilities(x: Tensor) -> Tensor:
    """Probabilities: one sigmoid unit, or a softmax over several."""
    activation = "sigmoid" if x.shape[-1] == 1 else "softmax"
    return layers.Activation(activation, dtype="float32", name="probabilities")(x)


def pooled_head(
    x: Tensor,
    units: int,
    *,
    pooling: str = "average",
    dense: Sequence[int] = (),
    dropout: float = DROPOUT,
    dropout_samples: int = 1,
) -> Tensor:
    """Pools a backbone's features (h, w, channels) and ends in logits.

    Args:
        x: a backbone's last feature map.
        units: how many logits.
        pooling: "average", "max", "average_max" or "gem".
        dense: units of dense layers in between, each followed by a ReLU.
        dropout: share dropped before the logits; no such layer where 0.
        dropout_samples: over how many drops the logits are averaged in training (multi-sample
            dropout, Inoue 2019).

    Raises:
        UnknownNameError: an unknown pooling.
        SettingError: fewer than one sample.
    """
    if dropout_samples < 1:
        raise SettingError(
            f"Dropout is drawn at least once. Received: dropout_samples={dropout_samples}. "
            "Use 1, or about 5 for multi-sample dropout."
        )
    x = POOLINGS[pooling](x)
    for number, width in enumerate(dense, start=1):
        x = layers.Dense(width, activation="relu", name=f"dense{number}")(x)
    if not dropout:
        return logits(x, units)
    if dropout_samples == 1:
        return logits(layers.Dropout(dropout, name="dropout")(x), units)
    last = layers.Dense(units, dtype="float32", name="logits")
    samples = [
        last(layers.Dropout(dropout, name=f"dropout{number}")(x))
        for number in range(1, dropout_samples + 1)
    ]
    return layers.Average(dtype="float32", name="mean_logits")(samples)
