"""Convolutional networks without skips or separable convolutions, most of them from reports."""

from collections.abc import Sequence

from keras import KerasTensor, layers

from kagglecxr.models.model_card import model_card
from kagglecxr.models.scaling import standardised, three_channels, zero_to_one


def _conv_norm_relu(x: KerasTensor, filters: int, strides: int, name: str) -> KerasTensor:
    x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False, name=f"{name}_conv")(x)
    # A short training has a few hundred steps: with the default momentum of 0.99 the statistics
    # would still depend on the first ones.
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


@model_card("kagglecxr", 128, "block4_2_relu", (293_332, 292_404), scaling="standardised")
def cnn_small(inputs: KerasTensor, *, width: int = 16, dropout: float = 0.2) -> KerasTensor:
    """Four stages of strided and plain convolutions, for training on a CPU.

    The first stage has `width` channels, and each further one twice those before it.
    """
    x = standardised(inputs)
    x = _conv_norm_relu(x, width, 2, "block1_1")
    for stage in (2, 3, 4):
        filters = width * 2 ** (stage - 1)
        x = _conv_norm_relu(x, filters, 2, f"block{stage}_1")
        x = _conv_norm_relu(x, filters, 1, f"block{stage}_2")
    # The mean measures how much of a pattern there is, the maximum whether it is anywhere.
    x = layers.Concatenate(name="pool")(
        [layers.GlobalAveragePooling2D(name="mean")(x), layers.GlobalMaxPooling2D(name="max")(x)]
    )
    return layers.Dropout(dropout, name="dropout")(x)


REPORT_4 = "Mise en place d'un modèle de reconnaissance d'image, report 4"


@model_card("UMONS practical TP05, report 1", 224, "conv2_2", 205_783_107, channels=3, classes=3)
def umons_scratch(inputs: KerasTensor) -> KerasTensor:
    """Two pairs of convolutions, then a dense layer on the flattened map: 206 million weights."""
    x = three_channels(zero_to_one(inputs))
    for stage, filters in ((1, 64), (2, 128)):
        for number in (1, 2):
            name = f"conv{stage}_{number}"
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"pool{stage}")(x)
    x = layers.Flatten(name="flatten")(x)
    return layers.Dense(512, activation="relu", name="dense")(x)


@model_card("Chest X-ray (Pneumonia), report 5", 224, "conv3", 3_267_202, smallest=8, classes=2)
def cnn_3conv_dropout(inputs: KerasTensor, *, dropout: float = 0.2) -> KerasTensor:
    """Three convolutions with pooling and dropout after each stage."""
    x = zero_to_one(inputs)
    for number, filters in enumerate((32, 64, 64), start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="dense")(x)
    return layers.Dropout(dropout, name="dropout_dense")(x)


@model_card(REPORT_4, 224, "conv3", 12_938_372, smallest=8)
def cnn_plain(inputs: KerasTensor) -> KerasTensor:
    """Three convolutions without normalisation; 25.86 % in the report, which is chance.

    The report gives no widths; these are common ones.
    """
    return _stages(inputs, (32, 64, 128), normalised=False, units=128)


@model_card(REPORT_4, 224, "conv4", (3_453_572, 3_452_868), smallest=16)
def cnn_4conv_bn(inputs: KerasTensor) -> KerasTensor:
    """Four convolutions with batch normalisation; 84.83 % in the report, which gives no widths."""
    return _stages(inputs, (32, 64, 128, 128), normalised=True, units=128)


@model_card(REPORT_4, 224, "conv6", (436_324, 435_428), smallest=64)
def cnn_6conv_bn(inputs: KerasTensor) -> KerasTensor:
    """Six convolutions with batch normalisation; 84.38 % in the report, which gives no widths."""
    return _stages(inputs, (32, 32, 64, 64, 128, 128), normalised=True, units=128)


def _stages(
    inputs: KerasTensor, filters: Sequence[int], *, normalised: bool, units: int
) -> KerasTensor:
    """Adds convolutions, each halving the map, then one dense layer."""
    x = zero_to_one(inputs)
    for number, width in enumerate(filters, start=1):
        x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        if normalised:
            x = layers.BatchNormalization(name=f"norm{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    return layers.Dense(units, activation="relu", name="dense")(x)


REPORT_3 = "Analyse de radiographies pulmonaires Covid-19, report 3"


@model_card(REPORT_3, 256, "conv3", (444_359, 444_133), smallest=64, classes=3, scaling="raw")
def cnn_8x8_bn(inputs: KerasTensor) -> KerasTensor:
    """Three 8x8 convolutions between batch normalisations, the first of which scales the pixels."""
    x = layers.BatchNormalization(name="norm0")(inputs)
    for number, filters in enumerate((16, 32, 64), start=1):
        x = _conv(x, filters, number, "same")
        x = layers.MaxPooling2D(4, name=f"pool{number}")(x)
        x = layers.BatchNormalization(name=f"norm{number}")(x)
    return _dense(x)


@model_card(REPORT_3, 256, "conv5", 3_065_217, smallest=233, classes=1)
def cnn_8x8(inputs: KerasTensor) -> KerasTensor:
    """Five 8x8 convolutions without padding, for COVID or not."""
    x = zero_to_one(inputs)
    for number, filters in enumerate((16, 32, 64, 128), start=1):
        x = _conv(x, filters, number, "valid")
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    return _dense(_conv(x, 256, 5, "valid"))


def _conv(x: KerasTensor, filters: int, number: int, padding: str) -> KerasTensor:
    return layers.Conv2D(
        filters, 8, padding=padding, use_bias=False, activation="relu", name=f"conv{number}"
    )(x)


def _dense(x: KerasTensor) -> KerasTensor:
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(256, activation="relu", name="dense1")(x)
    return layers.Dense(64, activation="relu", name="dense2")(x)
