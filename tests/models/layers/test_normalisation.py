"""The normalisation that older files keep is Keras' own."""

import keras
import numpy as np

from kagglecxr.models.layers.normalisation import ImageNormalization


def test_it_is_layer_normalisation_over_the_whole_image() -> None:
    images = np.random.default_rng(0).random((2, 3, 4, 2), np.float32)
    own = keras.layers.LayerNormalization(axis=(1, 2, 3), epsilon=0.1)(images)
    again = ImageNormalization.from_config(ImageNormalization(epsilon=0.1).get_config())
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(again(images)), keras.ops.convert_to_numpy(own)
    )
    assert "axis" not in again.get_config()
