"""Nets trained from scratch: the kit's own for CPUs, and the source reports'."""

from keras import layers

from kagglecxr.models.card import Tensor, model_card


def _conv_norm_relu(x: Tensor, filters: int, strides: int, name: str) -> Tensor:
    x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False, name=f"{name}_conv")(x)
    # A short training has a few hundred steps: the default momentum of 0.99 would still remember
    # the first of them.
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


@model_card(source="kagglecxr", input_size=128, explainable_layer="block4_2_relu")
def cnn_small(inputs: Tensor, *, width: int = 16, dropout: float = 0.2) -> Tensor:
    """Four stages of strided and plain convolutions: a minute of CPU training goes far.

    Args:
        inputs: raw pixels.
        width: channels of the first stage; doubled by each that follows.
        dropout: share dropped before the last layer.
    """
    # Exposure differs from image to image and says nothing of the disease.
    x = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, name="standardise")(
        inputs
    )
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


@model_card(source="Chest X-ray (Pneumonia), report 5", input_size=224, explainable_layer="conv3")
def cnn_3conv_dropout(inputs: Tensor, *, dropout: float = 0.2) -> Tensor:
    """Three convolutions with pooling and dropout; 3,267,202 parameters at 224x224x1, 2 units.

    Args:
        inputs: raw pixels.
        dropout: share dropped after each stage.
    """
    x = layers.Rescaling(1 / 255, name="scale")(inputs)
    for number, filters in enumerate((32, 64, 64), start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="dense")(x)
    return layers.Dropout(dropout, name="dropout_dense")(x)
