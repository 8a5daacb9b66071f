"""Every image backbone of keras.applications, built flat on the raw input; see backbones.csv.

Only ConvNeXt keeps nested blocks, its stem and downsamplings; its last layers are flat.
"""

import dataclasses
import functools
from typing import Any

import keras
from keras import KerasTensor, layers

from kagglecxr.core.errors import SettingError
from kagglecxr.models.layers import SquareResizing
from kagglecxr.models.model_card import MODELS, ModelCard, read_backbones
from kagglecxr.models.scaling import IMAGENET_DEVIATION, IMAGENET_MEAN, SCALINGS, three_channels

_FEATURES = "features"
"""Name of the last feature layer where Keras' own name changes from build to build."""


def build_backbone(
    row: dict[str, str], inputs: KerasTensor, *, scaling: str = "", side: int | None = None
) -> KerasTensor:
    """Builds a backbone and returns its last feature map.

    Args:
        row: of backbones.csv.
        inputs: raw pixels.
        scaling: defaults to that of its ImageNet weights, see `kagglecxr.models.scaling`.
        side: pixels to which images are resized first; None for none.

    Raises:
        SettingError: another scaling for a backbone that scales inside.
        UnknownNameError: no such scaling.
    """
    own = row["scaling"]
    if own == "raw" and scaling not in {"", "raw"}:
        raise SettingError(
            f"This backbone scales pixels inside. Received: scaling={scaling!r} for {row['name']}. "
            "Leave scaling out."
        )
    resized = inputs if side is None else SquareResizing(side, name="resized")(inputs)
    x = three_channels(SCALINGS[scaling or own](resized))
    # ImageNet weights are loaded later, from a file: here Keras would require a square RGB input.
    backbone = getattr(keras.applications, row["application"])(
        input_tensor=x, include_top=False, weights=None, **_variant(row)
    )
    for layer in backbone.layers:
        if isinstance(layer, layers.Normalization) and layer.input_mean is None:
            set_imagenet_statistics(layer)
    features = backbone.output
    if row["gradcam_layer"] == _FEATURES:
        features = layers.Identity(name=_FEATURES)(features)
    return features


def set_imagenet_statistics(layer: layers.Normalization) -> None:
    """Sets EfficientNet's normalisation layer to ImageNet's statistics, with any weights.

    Keras leaves it without effect until a file is loaded, whose variances are in fact standard
    deviations, and adds a layer that compensates for that.
    """
    layer.adapt_mean.assign(list(IMAGENET_MEAN))
    layer.adapt_variance.assign([deviation**2 for deviation in IMAGENET_DEVIATION])
    layer.finalize_state()


def _variant(row: dict[str, str]) -> dict[str, Any]:
    variant: dict[str, Any] = {"alpha": float(row["alpha"])} if row["alpha"] else {}
    return variant | ({"minimalistic": True} if row["minimalistic"] else {})


def _download(row: dict[str, str]) -> object:
    # Keras names the weights of MobileNet variants after the input's size.
    application = getattr(keras.applications, row["application"])
    return application(include_top=False, input_shape=(224, 224, 3), **_variant(row))


def _card(row: dict[str, str]) -> ModelCard:
    variant = ", ".join(f"{key} {value}" for key, value in _variant(row).items())
    return ModelCard(
        name=row["name"],
        build=functools.partial(build_backbone, row),
        source=f"keras.applications.{row['application']}" + (f", {variant}" if variant else ""),
        input_size=int(row["input_size"]),
        smallest=int(row["smallest"]),
        gradcam_layer=row["gradcam_layer"],
        parameters=int(row["parameters"]),
        trainable_parameters=int(row["trainable_parameters"]),
        scaling=row["scaling"],
        kind="backbone",
        weights_file=row["weights_file"],
        download=functools.partial(_download, row),
    )


def register_backbone(row: dict[str, str]) -> None:
    """Registers a row of backbones.csv as a model."""
    MODELS.add_as(row["name"])(_card(row))


for _row in read_backbones():
    register_backbone(_row)

# Report 2's MobileNetV2: the backbone of width 0.5 with the report's head.
MODELS.add_as("mobilenet_v2_fc3")(
    dataclasses.replace(
        MODELS["mobilenet_v2_050"],
        name="mobilenet_v2_fc3",
        source="Rapport TP4, report 2: MobileNetV2 of width 0.5 and three dense layers",
        parameters=2_544_820,
        trainable_parameters=2_526_276,
        head={"dense": (1024, 512), "dropout": 0.0},
    )
)
