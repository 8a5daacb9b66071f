"""Model cards: the facts of each model of the zoo and the function that builds it."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kagglecxr.core.registry import Registry

if TYPE_CHECKING:
    from keras import KerasTensor

Kind = Literal["net", "backbone", "segmenter"]
Builder = Callable[..., "KerasTensor"]


@dataclass(frozen=True)
class ModelCard:
    """The facts of a model.

    Attributes:
        build: takes the raw input tensor (H, W, 1 or 3; pixels 0..255) and keyword arguments;
            returns a backbone's last feature map, or the input of a net's last layer.
        source: the paper, report or library it comes from.
        input_size: height and width it was designed for, in pixels.
        gradcam_layer: the last layer with spatial dimensions, for saliency maps.
        parameters: their number at `input_size`, `channels` and `classes`; of a backbone of
            keras.applications, without a head.
        trainable_parameters: the number of trainable ones when no layer is frozen by the user.
        smallest: smallest height and width it can be built for, in pixels.
        channels: of the input at which parameters are counted.
        classes: of the output at which parameters are counted.
        scaling: its scaling of raw pixels, see `kagglecxr.models.scaling`.
        kind: "net" has its own head except for the last layer, "backbone" gets a pooled head,
            "segmenter" returns a mask.
        head: defaults of the head's arguments on this backbone.
        lungs_layer: in a net with a U-Net in front, the layer that returns the mask.
        encoder_layer: in a U-Net on a backbone, the backbone's last layer.
        bottleneck_layer: in a U-Net without one, the last layer before it upsamples.
        imagenet_layers: first and last layer of the part that ImageNet weights are for, if not the
            whole backbone.
        weights_file: the file of its ImageNet weights, as Keras names it; empty if there are none.
        download: fetches them into Keras' own folder.
    """

    name: str
    build: Builder
    source: str
    input_size: int
    gradcam_layer: str
    parameters: int
    trainable_parameters: int
    smallest: int = 1
    channels: int = 1
    classes: int = 4
    scaling: str = "zero_to_one"
    kind: Kind = "net"
    head: Mapping[str, Any] = field(default_factory=dict)
    lungs_layer: str = ""
    encoder_layer: str = ""
    bottleneck_layer: str = ""
    imagenet_layers: tuple[str, str] | None = None
    weights_file: str = ""
    download: Callable[[], object] | None = None

    @property
    def deepest_layer(self) -> str:
        """The layer of its deepest features."""
        return self.bottleneck_layer or self.encoder_layer or self.gradcam_layer


MODELS = Registry[ModelCard]("model")


def model_card(
    source: str,
    input_size: int,
    gradcam_layer: str,
    parameters: int | tuple[int, int],
    **facts: Any,
) -> Callable[[Builder], Builder]:
    """A decorator that registers a model under its function's name; for facts see `ModelCard`.

    `parameters` is a pair, all and the trainable ones, where they differ.
    """
    total, trainable = (parameters, parameters) if isinstance(parameters, int) else parameters

    def register(build: Builder) -> Builder:
        name = build.__name__
        MODELS.add_as(name)(
            ModelCard(name, build, source, input_size, gradcam_layer, total, trainable, **facts)
        )
        return build

    return register


def read_backbones() -> list[dict[str, str]]:
    """Reads the table of keras.applications' backbones without importing Keras."""
    path = Path(__file__).parent / "nets" / "backbones.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
