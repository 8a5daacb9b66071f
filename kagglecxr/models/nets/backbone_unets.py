"""U-Nets (Ronneberger et al. 2015) whose encoder is a backbone of the zoo: `unet_<backbone>`."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import keras
from keras import KerasTensor, layers

from kagglecxr.core.errors import SettingError
from kagglecxr.models.feature_maps import find_skips
from kagglecxr.models.layers.resizing import ResizeLike
from kagglecxr.models.model_card import MODELS, ModelCard, read_backbones
from kagglecxr.models.nets.backbones import build_backbone

FILTERS = (64, 48, 32, 16)
"""Of the decoder's levels, from a sixteenth of the image's size to half of it."""
MOMENTUM = 0.9
"""Of the decoder's statistics, which start from nothing and have some hundred steps."""
ENCODER, LAST = "encoder", "decoder"
"""The last layers of the backbone and of the decoder."""


def build_backbone_unet(
    row: dict[str, str],
    inputs: KerasTensor,
    *,
    filters: Sequence[int] = FILTERS,
    scaling: str = "",
) -> KerasTensor:
    """Builds a U-Net on a backbone and returns the last features, of the input's size.

    Each level of the decoder doubles the size, takes the backbone's features of that size, and
    mixes both by a 3x3 convolution, batch normalisation and ReLU. Halvings of the backbone that
    have no level are undone at the end, bilinearly.

    Args:
        row: of backbones.csv.
        inputs: images of a fixed size (batch, H, W, C).
        filters: of each level of the decoder, the smallest size first; at most as many as the
            backbone halves the size.
        scaling: as `build_backbone`.

    Raises:
        SettingError: an input of unknown size, or another number of levels.
    """
    if None in inputs.shape[1:3]:
        raise SettingError(
            f"A U-Net on a backbone takes images of one size. Received: {tuple(inputs.shape[1:])}. "
            "Name the height and width."
        )
    features = build_backbone(row, inputs, scaling=scaling)
    # Backbones' own last layers have names that change from build to build.
    x = layers.Identity(name=ENCODER)(features)
    skips = find_skips(keras.Model(inputs, x), int(inputs.shape[1]))
    halvings = max(round(math.log2(inputs.shape[1] / x.shape[1])), 1)
    if not 0 < len(filters) <= halvings:
        raise SettingError(
            f"A U-Net's decoder has at most a level for each halving of its backbone. Received: "
            f"{len(filters)} filters for {halvings} halvings of {row['name']}. Name 1 to "
            f"{halvings} numbers."
        )
    for level, width in zip(reversed(range(halvings)), filters, strict=False):
        name = f"up{level + 1}"
        x = layers.UpSampling2D(2, name=name)(x)
        skip = skips.get(level)
        if skip is not None:
            if x.shape[1:3] != skip.shape[1:3]:
                x = ResizeLike(name=f"{name}_resize")([x, skip])
            x = layers.Concatenate(name=f"{name}_concatenate")([x, skip])
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}_conv")(x)
        x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
        x = layers.ReLU(name=LAST if level == halvings - len(filters) else f"{name}_relu")(x)
    if x.shape[1:3] != inputs.shape[1:3]:
        x = ResizeLike(name="resize")([x, inputs])
    return x


def _card(row: dict[str, str]) -> ModelCard:
    backbone = MODELS[row["name"]]
    return dataclasses.replace(
        backbone,
        name=f"unet_{backbone.name}",
        build=functools.partial(build_backbone_unet, row),
        source=f"U-Net (Ronneberger et al. 2015) on {backbone.source}",
        gradcam_layer=LAST,
        encoder_layer=ENCODER,
        parameters=int(row["unet_parameters"]),
        trainable_parameters=int(row["unet_trainable_parameters"]),
        smallest=max(backbone.smallest, 32),
        classes=1,
        kind="segmenter",
    )


for _row in read_backbones():
    MODELS.add_as(f"unet_{_row['name']}")(_card(_row))
