"""Report 3's nets of 8x8 convolutions."""

from keras import layers

from kagglecxr.models.card import Tensor, model_card
from kagglecxr.models.scaling import zero_to_one

REPORT_3 = "Analyse de radiographies pulmonaires Covid-19, report 3"


@model_card(
    source=REPORT_3,
    input_size=256,
    smallest=64,
    explainable_layer="conv3",
    parameters=444_359,
    trainable_parameters=444_133,
    classes=3,
    scaling="raw",
)
def cnn_8x8_bn(inputs: Tensor) -> Tensor:
    """Three 8x8 convolutions between batch normalisations, the first of which scales the pixels."""
    x = layers.BatchNormalization(name="norm0")(inputs)
    for number, filters in enumerate((16, 32, 64), start=1):
        x = _conv(x, filters, number, "same")
        x = layers.MaxPooling2D(4, name=f"pool{number}")(x)
        x = layers.BatchNormalization(name=f"norm{number}")(x)
    return _dense(x)


@model_card(
    source=REPORT_3,
    input_size=256,
    smallest=233,
    explainable_layer="conv5",
    parameters=3_065_217,
    trainable_parameters=3_065_217,
    classes=1,
)
def cnn_8x8(inputs: Tensor) -> Tensor:
    """Five 8x8 convolutions without padding, COVID or not."""
    x = zero_to_one(inputs)
    for number, filters in enumerate((16, 32, 64, 128), start=1):
        x = _conv(x, filters, number, "valid")
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    return _dense(_conv(x, 256, 5, "valid"))


def _conv(x: Tensor, filters: int, number: int, padding: str) -> Tensor:
    return layers.Conv2D(
        filters, 8, padding=padding, use_bias=False, activation="relu", name=f"conv{number}"
    )(x)


def _dense(x: Tensor) -> Tensor:
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(256, activation="relu", name="dense1")(x)
    return layers.Dense(64, activation="relu", name="dense2")(x)
