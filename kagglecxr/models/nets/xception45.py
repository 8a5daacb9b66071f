"""Report 3's best net: the first 45 layers of Xception on three views of the masked lungs."""

import functools

import keras
from keras import layers

from kagglecxr.models.card import Tensor, model_card
from kagglecxr.models.layers import EqualisedBrightenedEdges
from kagglecxr.models.nets.large_kernels import REPORT_3
from kagglecxr.models.nets.unets import LUNGS, lungs_alone
from kagglecxr.models.scaling import minus_one_to_one

_LAST = "block5_sepconv3_bn"
"""The last of the 45."""


@model_card(
    source=REPORT_3,
    input_size=299,
    explainable_layer="block_b_relu",
    parameters=5_601_775,
    trainable_parameters=4_990_446,
    classes=2,
    scaling="minus_one_to_one",
    lungs_layer=LUNGS,
    imagenet_layers=("block1_conv1", _LAST),
    weights_file="xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
    download=functools.partial(keras.applications.Xception, include_top=False),
)
def xception45(inputs: Tensor, *, filters: int = 256, dropout: float = 0.3) -> Tensor:
    """Resize, U-Net mask, three channels, 45 layers of Xception, two convolutions, dense 4.

    Takes grey images of any size. The U-Net does not learn; its weights are those of a `unet_bn`,
    Xception's those of ImageNet. The report gives neither widths nor dropout of the two
    convolutions.

    Args:
        inputs: raw pixels.
        filters: channels of each of the two convolutions.
        dropout: share dropped after each.
    """
    channels = EqualisedBrightenedEdges(name="channels")(lungs_alone(inputs, 224))
    x = minus_one_to_one(channels)
    whole = keras.applications.Xception(input_tensor=x, include_top=False, weights=None)
    x = whole.get_layer(_LAST).output
    for block in ("block_a", "block_b"):
        x = layers.Conv2D(filters, 3, padding="same", name=f"{block}_conv")(x)
        x = layers.BatchNormalization(name=f"{block}_norm")(x)
        x = layers.Dropout(dropout, name=f"{block}_dropout")(x)
        x = layers.ReLU(name=f"{block}_relu")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return layers.Dense(4, activation="relu", name="dense")(x)
