"""A whole model takes what its pipeline takes, and looks at it from the kit's views."""

import keras
import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.inference.export.end_to_end import VIEW_LAYERS, Member, end_to_end_model
from kagglecxr.inference.tta import VIEWS


def noise(height: int, width: int, channels: int) -> npt.NDArray[np.uint8]:
    random = np.random.default_rng(height * width)
    return np.clip(random.normal(120, 50, (height, width, channels)), 0, 255).astype(np.uint8)


def constant() -> Member:
    inputs = keras.Input((40, 40, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    return Member([keras.Model(inputs, keras.layers.Dense(2, "softmax")(pooled))], ["identity"])


def test_tiles_of_images_of_any_size_are_refused() -> None:
    with pytest.raises(SettingError, match="Resize them"):
        end_to_end_model(Pipeline.parse("clahe | resize", 40).steps, [constant()], ["a", "b"], "")


def test_every_view_of_the_kit_is_one_of_the_file() -> None:
    assert VIEW_LAYERS.names() == VIEWS.names()
    images = noise(6, 7, 2)[None]
    for name in VIEWS.names():
        seen = images
        for layer in VIEW_LAYERS[name]():
            seen = layer(seen)
        np.testing.assert_array_equal(seen, VIEWS[name](images))


def test_without_resize_only_images_of_the_training_s_size_are_taken() -> None:
    model = end_to_end_model(Pipeline.parse("gray", 40).steps, [constant()], ["a", "b"], "")
    assert model.input_shape == (None, 40, 40, None)
    assert model(noise(40, 40, 3)[None]).shape == (1, 2)
    with pytest.raises(ValueError, match="40"):
        model(noise(41, 40, 1)[None])
