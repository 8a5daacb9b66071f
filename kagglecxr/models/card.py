"""The facts of a model, beside the function that builds it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kagglecxr.core.registry import Registry

Tensor = Any
"""A symbolic Keras tensor; Keras has no public name for its type."""


@dataclass(frozen=True)
class ModelCard:
    """What one needs to know of a model before building it.

    Attributes:
        name: its name in the zoo.
        build: takes the raw input tensor (H, W, 1 or 3; pixels 0..255) and keyword arguments;
            returns a backbone's last feature map, or all of a net but its last dense layer.
        source: the paper or report it comes from.
        input_size: the pixels it was made for.
        explainable_layer: the last layer with a spatial extent, where saliency is read.
        weights_file: the file of its ImageNet weights, as Keras names it; empty if there are none.
        download: fetches them into Keras' own folder.
        is_backbone: whether the kit's head goes on top.
    """

    name: str
    build: Callable[..., Tensor]
    source: str
    input_size: int
    explainable_layer: str
    weights_file: str = ""
    download: Callable[[], object] | None = None
    is_backbone: bool = False


MODELS = Registry[ModelCard]("model")


def model_card(
    source: str, input_size: int, explainable_layer: str
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Registers a net with its own head under its function's name."""

    def register(build: Callable[..., Tensor]) -> Callable[..., Tensor]:
        card = ModelCard(build.__name__, build, source, input_size, explainable_layer)
        MODELS.add_as(card.name)(card)
        return build

    return register
