"""The reports' U-Nets (Ronneberger et al. 2015), from raw pixels to a mask of the same size."""

import keras
from keras import KerasTensor, layers

from kagglecxr.models.layers import ApplyMask
from kagglecxr.models.layers.resizing import SquareResizing
from kagglecxr.models.model_card import model_card
from kagglecxr.models.scaling import three_channels, zero_to_one

LUNGS = "lungs"
"""The layer that returns the mask in `mask_lungs`."""


@model_card(
    "Rapport TP4, report 2",
    128,
    "up1_relu2",
    466_529,
    smallest=4,
    channels=3,
    classes=1,
    kind="segmenter",
    bottleneck_layer="down3_relu2",
)
def unet_small(inputs: KerasTensor) -> KerasTensor:
    """Three levels of 32, 64 and 128 channels, upsampled by transposed convolutions."""
    x = three_channels(zero_to_one(inputs))
    skips = []
    for level, filters in enumerate((32, 64, 128), start=1):
        x = _two_convs(x, filters, f"down{level}", normalised=False)
        if level < 3:
            skips.append(x)
            x = layers.MaxPooling2D(2, name=f"down{level}_pool")(x)
    for level, filters in ((2, 64), (1, 32)):
        x = layers.Conv2DTranspose(filters, 2, strides=2, name=f"up{level}")(x)
        x = layers.Concatenate(name=f"up{level}_concatenate")([x, skips[level - 1]])
        x = _two_convs(x, filters, f"up{level}", normalised=False)
    return x


@model_card(
    "Analyse de radiographies pulmonaires Covid-19, report 3",
    256,
    "up1_relu2",
    (599_073, 597_281),
    smallest=16,
    classes=1,
    kind="segmenter",
    bottleneck_layer="down5_relu2",
)
def unet_bn(inputs: KerasTensor) -> KerasTensor:
    """Five levels of 16 to 128 channels with batch normalisation, upsampled by repetition."""
    return unet_bn_features(zero_to_one(inputs))


def mask_lungs(inputs: KerasTensor, size: int) -> KerasTensor:
    """Resizes raw pixels and blackens them outside the lungs found by a frozen `unet_bn`.

    Takes gray images of any size (batch, H, W, 1); `size` is a multiple of 16.
    """
    image = SquareResizing(size, name="resize")(inputs)
    scaled = layers.Rescaling(1 / 255, name="lungs_scale")(image)
    scores = layers.Conv2D(1, 1, dtype="float32", name="lungs_logits")(unet_bn_features(scaled))
    mask = layers.Activation("sigmoid", dtype="float32", name=LUNGS)(scores)
    for inner in keras.Model(inputs, mask).layers:
        inner.trainable = False
    return ApplyMask(name="masked")([image, mask])


def unet_bn_features(scaled: KerasTensor) -> KerasTensor:
    """Returns the last features (batch, H, W, 16) of `unet_bn`; H and W are multiples of 16."""
    x = scaled
    skips = []
    for level, filters in enumerate((16, 32, 48, 64, 128), start=1):
        x = _two_convs(x, filters, f"down{level}", normalised=True)
        if level < 5:
            skips.append(x)
            x = layers.MaxPooling2D(2, name=f"down{level}_pool")(x)
    for level, filters in ((4, 64), (3, 48), (2, 32), (1, 16)):
        x = layers.UpSampling2D(2, name=f"up{level}")(x)
        x = layers.Concatenate(name=f"up{level}_concatenate")([x, skips[level - 1]])
        x = _two_convs(x, filters, f"up{level}", normalised=True)
    return x


def _two_convs(x: KerasTensor, filters: int, name: str, *, normalised: bool) -> KerasTensor:
    for number in (1, 2):
        x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_conv{number}")(x)
        if normalised:
            x = layers.BatchNormalization(name=f"{name}_norm{number}")(x)
        x = layers.ReLU(name=f"{name}_relu{number}")(x)
    return x
