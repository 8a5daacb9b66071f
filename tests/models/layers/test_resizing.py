"""Resizing inside a model gives the numbers of cv2.resize."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.models.layers.resizing import SquareResizing

SIDES = st.integers(1, 150)
SIZES = st.sampled_from([8, 24, 32, 48])
CHANNELS = st.sampled_from([1, 3])


def noise(height: int, width: int, channels: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """All grey levels alike: sums that end in a half are as frequent as they can be."""
    shape = (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def by_opencv(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    return Pipeline.parse("resize", size)(pixels).reshape(size, size, -1)


def by_layer(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(SquareResizing(size)(image[None]))[0])


@settings(deadline=None, max_examples=60)
@given(SIDES, SIDES, SIZES, CHANNELS)
def test_any_size_becomes_what_opencv_makes_of_it(
    height: int, width: int, size: int, channels: int
) -> None:
    image = noise(height, width, channels, seed=height * width)
    np.testing.assert_array_equal(by_layer(image, size), by_opencv(image, size))


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (256, 256, 192),  # quarters
        (192, 192, 160),  # sixths, which float32 only nearly holds
        (320, 320, 224),  # tenths
        (320, 288, 192),
        (96, 96, 48),
        (96, 48, 48),
        (144, 240, 48),
        (336, 48, 48),
        (299, 299, 224),
        (100, 91, 45),
        (61, 50, 7),
        (5, 3, 1),
        (48, 48, 48),
        (47, 49, 48),
        (16, 400, 48),
        (220, 180, 224),  # cubic weights that lose their last bits to a pixel's number
        (1025, 1027, 1024),  # parts of pixels too small to count
    ],
)
def test_halves_are_rounded_as_opencv_rounds_them(height: int, width: int, size: int) -> None:
    image = noise(height, width, 1)
    np.testing.assert_array_equal(by_layer(image, size), by_opencv(image, size))


def test_a_model_for_any_size_gives_the_same_whether_it_knows_the_size_or_not() -> None:
    inputs = keras.Input((None, None, None))
    model = keras.Model(inputs, SquareResizing(24)(inputs))
    # From its second size on Keras traces the model without one, on TensorFlow.
    for height, width, channels in ((30, 36, 1), (48, 72, 3), (77, 24, 1), (9, 90, 3), (24, 24, 1)):
        image = noise(height, width, channels)
        got = model.predict(image[None], verbose=0)[0]
        np.testing.assert_array_equal(got, by_opencv(image, 24))


def test_the_last_columns_of_an_odd_size_may_be_a_grey_level_off() -> None:
    difference = by_layer(noise(7, 7, 1, seed=49), 45) - by_opencv(noise(7, 7, 1, seed=49), 45)
    assert np.count_nonzero(difference[:, :40]) == 0
    assert np.count_nonzero(difference) <= 1
    assert np.abs(difference).max() <= 1


def test_each_image_of_a_batch_is_resized_alone() -> None:
    images = np.stack([noise(50, 70, 1, seed) for seed in range(3)])
    together = keras.ops.convert_to_numpy(SquareResizing(24)(images))
    for image, resized in zip(images, together, strict=True):
        np.testing.assert_array_equal(resized, by_layer(image, 24))


def test_the_layer_is_built_again_from_its_config(tmp_path: Any) -> None:
    inputs = keras.Input((None, None, None))
    model = keras.Model(inputs, SquareResizing(24, name="resize")(inputs))
    assert model.output_shape == (None, 24, 24, None)
    model.save(tmp_path / "model.keras")
    layer = keras.saving.load_model(tmp_path / "model.keras").get_layer("resize")
    assert layer.size == 24
    # Compiled by XLA it would round otherwise.
    assert not layer.supports_jit
