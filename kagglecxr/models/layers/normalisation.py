"""Layer normalisation of whole images that Keras' older file format keeps."""

from typing import Any

import keras
from keras import layers


@keras.saving.register_keras_serializable(package="kagglecxr")
class ImageNormalization(layers.LayerNormalization):  # type: ignore[misc]
    """Layer normalisation over height, width and channels.

    `LayerNormalization(axis=(1, 2, 3))`, but for its config: Keras 3.15 reads no list of axes from
    an .h5 file, and normalises the channels of each pixel instead, without a word.

    Args:
        **kwargs: what `LayerNormalization` takes, but axis.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, axis=(1, 2, 3))

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again."""
        return {key: value for key, value in super().get_config().items() if key != "axis"}
