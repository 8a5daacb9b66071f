"""Networks of depthwise separable convolutions, from report 3."""

import functools

import keras
from keras import KerasTensor, layers

from kagglecxr.models.layers import EqualisedBrightenedEdges, HistogramEqualization
from kagglecxr.models.model_card import model_card
from kagglecxr.models.nets.cnns import REPORT_3
from kagglecxr.models.nets.unets import LUNGS, mask_lungs
from kagglecxr.models.scaling import minus_one_to_one, zero_to_one


@model_card(REPORT_3, 256, "stage4_conv2", (79_410, 78_930), smallest=46, classes=2)
def separable_cnn(inputs: KerasTensor) -> KerasTensor:
    """Four stages of two separable 4x4 convolutions of depth multiplier 2."""
    x = zero_to_one(inputs)
    for stage, filters in enumerate((16, 32, 64, 128), start=1):
        x = _separable(x, filters, f"stage{stage}_conv1", "same")
        x = layers.BatchNormalization(name=f"stage{stage}_norm")(x)
        x = _separable(x, filters, f"stage{stage}_conv2", "valid")
        if stage < 4:
            x = layers.MaxPooling2D(2, padding="same", name=f"stage{stage}_pool")(x)
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    return layers.Dense(16, activation="relu", name="dense")(x)


@model_card(REPORT_3, 299, "stage4_conv2", (678_483, 78_930), classes=2, lungs_layer=LUNGS)
def masked_separable_cnn(inputs: KerasTensor) -> KerasTensor:
    """The report's whole chain: resize, U-Net mask, equalise, then `separable_cnn`.

    Takes gray images of any size. The U-Net is frozen; its weights are those of a `unet_bn`.
    """
    return separable_cnn(HistogramEqualization(name="equalise")(mask_lungs(inputs, 256)))


def _separable(x: KerasTensor, filters: int, name: str, padding: str) -> KerasTensor:
    return layers.SeparableConv2D(
        filters,
        4,
        padding=padding,
        depth_multiplier=2,
        use_bias=False,
        activation="relu",
        name=name,
    )(x)


_LAST = "block5_sepconv3_bn"
"""The last of the 45 layers of Xception."""


@model_card(
    REPORT_3, 299, "block_b_relu", (5_601_775, 4_990_446), classes=2, lungs_layer=LUNGS,
    scaling="minus_one_to_one", imagenet_layers=("block1_conv1", _LAST),
    weights_file="xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
    download=functools.partial(keras.applications.Xception, include_top=False),
)  # fmt: skip
def xception45(inputs: KerasTensor, *, filters: int = 256, dropout: float = 0.3) -> KerasTensor:
    """Resize, U-Net mask, three channels, 45 layers of Xception, two convolutions, dense 4.

    Takes gray images of any size. The U-Net is frozen; its weights are those of a `unet_bn`,
    Xception's those of ImageNet. The report gives neither widths nor dropout rates of the two
    convolutions.
    """
    channels = EqualisedBrightenedEdges(name="channels")(mask_lungs(inputs, 224))
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
