"""The base class of layers that change raw pixels."""

from typing import Any, ClassVar

from keras import layers

Shape = tuple[int | None, ...]


class PixelLayer(layers.Layer):  # type: ignore[misc]
    """A layer that maps raw pixels (batch, H, W, C) to float32 of the same shape.

    It computes in float32 under mixed precision too, as float16 cannot tell neighbouring gray
    levels apart.

    Attributes:
        arguments: names of the constructor's arguments, kept as attributes and in the config.
    """

    arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        own = {name: getattr(self, name) for name in self.arguments}
        return {**super().get_config(), **own}
