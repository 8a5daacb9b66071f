"""The facts of a model, beside the function that builds it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kagglecxr.core.registry import Registry

Tensor = Any
"""A symbolic Keras tensor; Keras has no public name for its type."""

Kind = Literal["net", "backbone", "segmenter"]


@dataclass(frozen=True)
class ModelCard:
    """What one needs to know of a model before building it.

    Attributes:
        name: its name in the zoo.
        build: takes the raw input tensor (H, W, 1 or 3; pixels 0..255) and keyword arguments;
            returns a backbone's last feature map, or all of a net but its last layer.
        source: the paper, report or library it comes from.
        input_size: the pixels it was made for, in height and width.
        gradcam_layer: the last layer with a spatial extent, where saliency is read.
        parameters: how many it has at `input_size`, `channels` and `classes`; of a backbone of
            keras.applications, how many without a head.
        trainable_parameters: how many of them learn when none is frozen by the user.
        smallest: pixels, in height and width, below which it cannot be built.
        channels: of the input at which parameters are counted.
        classes: of the output at which parameters are counted.
        scaling: what it does with raw pixels first, see `kagglecxr.models.scaling`.
        kind: "net" has its own head but for the last layer, "backbone" takes the kit's head,
            "segmenter" answers with a mask.
        head: what the kit's head is on this backbone unless told otherwise.
        mixed_precision: whether half precision is known to do it no harm.
        lungs_layer: in a net with a U-Net in front, the layer that gives the mask.
        imagenet_layers: first and last layer that ImageNet weights are for, where these are not
            all of a backbone.
        weights_file: the file of its ImageNet weights, as Keras names it; empty if there are none.
        download: fetches them into Keras' own folder.
    """

    name: str
    build: Callable[..., Tensor]
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
    mixed_precision: bool = True
    lungs_layer: str = ""
    imagenet_layers: tuple[str, str] | None = None
    weights_file: str = ""
    download: Callable[[], object] | None = None


MODELS = Registry[ModelCard]("model")


def model_card(**facts: Any) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Registers a model under its function's name, with the facts of its card."""

    def register(build: Callable[..., Tensor]) -> Callable[..., Tensor]:
        card = ModelCard(name=build.__name__, build=build, **facts)
        MODELS.add_as(card.name)(card)
        return build

    return register
