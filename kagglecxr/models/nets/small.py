"""The kit's own nets for CPUs."""

from keras import layers

from kagglecxr.models.card import Tensor, model_card
from kagglecxr.models.scaling import standardised


def _conv_norm_relu(x: Tensor, filters: int, strides: int, name: str) -> Tensor:
    x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False, name=f"{name}_conv")(x)
    # A short training has a few hundred steps: the default momentum of 0.99 would still remember
    # the first of them.
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


@model_card(
    source="kagglecxr",
    input_size=128,
    explainable_layer="block4_2_relu",
    parameters=293_332,
    trainable_parameters=292_404,
    scaling="standardised",
)
def cnn_small(inputs: Tensor, *, width: int = 16, dropout: float = 0.2) -> Tensor:
    """Four stages of strided and plain convolutions: a minute of CPU training goes far.

    Args:
        inputs: raw pixels.
        width: channels of the first stage; doubled by each that follows.
        dropout: share dropped before the last layer.
    """
    x = standardised(inputs)
    x = _conv_norm_relu(x, width, 2, "block1_1")
    for stage in (2, 3, 4):
        filters = width * 2 ** (stage - 1)
        x = _conv_norm_relu(x, filters, 2, f"block{stage}_1")
        x = _conv_norm_relu(x, filters, 1, f"block{stage}_2")
    # The mean says how much of a pattern there is, the maximum whether it is anywhere.
    x = layers.Concatenate(name="pool")(
        [layers.GlobalAveragePooling2D(name="mean")(x), layers.GlobalMaxPooling2D(name="max")(x)]
    )
    return layers.Dropout(dropout, name="dropout")(x)
