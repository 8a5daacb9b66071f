"""Small convolutions one after the other: the source reports' first nets."""

from collections.abc import Sequence

from keras import layers

from kagglecxr.models.card import Tensor, model_card
from kagglecxr.models.scaling import three_channels, zero_to_one

REPORT_4 = "Mise en place d'un modèle de reconnaissance d'image, report 4"


@model_card(
    source="UMONS practical TP05, report 1",
    input_size=224,
    explainable_layer="conv2_2",
    parameters=205_783_107,
    trainable_parameters=205_783_107,
    channels=3,
    classes=3,
)
def umons_scratch(inputs: Tensor) -> Tensor:
    """Two pairs of convolutions, then a dense layer on all of the picture: 206 million weights."""
    x = three_channels(zero_to_one(inputs))
    for stage, filters in ((1, 64), (2, 128)):
        for number in (1, 2):
            name = f"conv{stage}_{number}"
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"pool{stage}")(x)
    x = layers.Flatten(name="flatten")(x)
    return layers.Dense(512, activation="relu", name="dense")(x)


@model_card(
    source="Chest X-ray (Pneumonia), report 5",
    input_size=224,
    smallest=8,
    explainable_layer="conv3",
    parameters=3_267_202,
    trainable_parameters=3_267_202,
    classes=2,
)
def cnn_3conv_dropout(inputs: Tensor, *, dropout: float = 0.2) -> Tensor:
    """Three convolutions with pooling and dropout.

    Args:
        inputs: raw pixels.
        dropout: share dropped after each stage.
    """
    x = zero_to_one(inputs)
    for number, filters in enumerate((32, 64, 64), start=1):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
        x = layers.Dropout(dropout, name=f"dropout{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="dense")(x)
    return layers.Dropout(dropout, name="dropout_dense")(x)


@model_card(
    source=REPORT_4,
    input_size=224,
    smallest=8,
    explainable_layer="conv3",
    parameters=12_938_372,
    trainable_parameters=12_938_372,
)
def cnn_plain(inputs: Tensor) -> Tensor:
    """Three convolutions without normalisation; in the report it learned nothing (25.86 %).

    The report gives no widths: these are the usual ones.
    """
    return _stages(inputs, (32, 64, 128), normalised=False, units=128)


@model_card(
    source=REPORT_4,
    input_size=224,
    smallest=16,
    explainable_layer="conv4",
    parameters=3_453_572,
    trainable_parameters=3_452_868,
)
def cnn_4conv_bn(inputs: Tensor) -> Tensor:
    """Four convolutions with batch normalisation; 84.83 % in the report, which gives no widths."""
    return _stages(inputs, (32, 64, 128, 128), normalised=True, units=128)


@model_card(
    source=REPORT_4,
    input_size=224,
    smallest=64,
    explainable_layer="conv6",
    parameters=436_324,
    trainable_parameters=435_428,
)
def cnn_6conv_bn(inputs: Tensor) -> Tensor:
    """Six convolutions with batch normalisation; 84.38 % in the report, which gives no widths."""
    return _stages(inputs, (32, 32, 64, 64, 128, 128), normalised=True, units=128)


def _stages(inputs: Tensor, filters: Sequence[int], *, normalised: bool, units: int) -> Tensor:
    """Convolutions, each halving the picture, then one dense layer."""
    x = zero_to_one(inputs)
    for number, width in enumerate(filters, start=1):
        x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        if normalised:
            x = layers.BatchNormalization(name=f"norm{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    return layers.Dense(units, activation="relu", name="dense")(x)
