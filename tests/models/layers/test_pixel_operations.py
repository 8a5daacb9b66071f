"""Steps inside a model give the numbers of the pipeline."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.models.layers import ApplyMask
from kagglecxr.models.layers.pixel_operations import (
    Gamma,
    GrayToRGB,
    ImageNormalization,
    RGBToGray,
    RoundPixels,
)


def numbers(tensor: Any) -> npt.NDArray[np.float32]:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


@pytest.fixture(scope="module")
def every_colour() -> npt.NDArray[np.uint8]:
    """One batch of all reds, greens and every fifth blue: (1, 256, 256 * 52, 3)."""
    greys = np.arange(256, dtype=np.uint8)
    red, green, blue = np.meshgrid(greys, greys, greys[::5], indexing="ij")
    return np.stack([red, green, blue], axis=-1).reshape(1, 256, -1, 3)


def test_colours_become_the_greys_of_opencv(every_colour: npt.NDArray[np.uint8]) -> None:
    expected = Pipeline.parse("gray", 8)(every_colour[0])
    np.testing.assert_array_equal(numbers(RGBToGray()(every_colour))[0, ..., 0], expected)


def test_grey_stays_grey() -> None:
    greys = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    np.testing.assert_array_equal(numbers(RGBToGray()(greys)), greys)
    np.testing.assert_array_equal(numbers(GrayToRGB()(greys)), np.repeat(greys, 3, axis=-1))


def test_colours_stay_colours(every_colour: npt.NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(numbers(GrayToRGB()(every_colour[:, :9])), every_colour[:, :9])


@given(st.floats(0.01, 10.0))
def test_gamma_is_that_of_the_pipeline(exponent: float) -> None:
    greys = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = Pipeline.parse(f"gamma({exponent!r})", 16)(greys)
    np.testing.assert_array_equal(
        numbers(Gamma(exponent)(greys[None, ..., None]))[0, ..., 0], expected
    )


def test_floats_become_whole_greys() -> None:
    pixels = np.array([-3.0, -0.4, 0.49, 1.0, 7.51, 254.9, 255.3, 300.0]).reshape(1, 2, 4, 1)
    expected = [0, 0, 0, 1, 8, 255, 255, 255]
    assert numbers(RoundPixels()(pixels)).ravel().tolist() == expected


@pytest.mark.parametrize(
    ("layer", "channels"),
    [(RoundPixels(), None), (GrayToRGB(), 3), (RGBToGray(), 1), (Gamma(0.5), None)],
)
def test_a_layer_says_its_channels_takes_any_and_is_built_again(
    layer: keras.layers.Layer, channels: int | None, tmp_path: Any
) -> None:
    inputs = keras.Input((None, None, None))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, None, None, channels)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for given_channels in (1, 3):
        image = np.random.default_rng(0).integers(0, 256, (2, 5, 4, given_channels), np.uint8)
        np.testing.assert_array_equal(again.predict(image, verbose=0), numbers(layer(image)))


def test_mixed_precision_changes_no_grey() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
        for layer in (RoundPixels(), RGBToGray(), Gamma(1.0)):
            np.testing.assert_array_equal(numbers(layer(image)), image)
    finally:
        keras.config.set_dtype_policy(before)


LUNGS = np.array([[0.0, 0.49, 0.5], [0.51, 0.9, 1.0]], np.float32)[None, ..., None]
INSIDE = np.array([[0, 0, 0], [1, 1, 1]])[None, ..., None]


def build(channels: int, dtype: str = "float32") -> keras.Model:
    image = keras.Input((2, 3, channels), dtype=dtype)
    lungs = keras.Input((2, 3, 1))
    return keras.Model([image, lungs], ApplyMask(name="masked")([image, lungs]))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_what_is_less_than_half_lung_is_black(channels: int, dtype: str) -> None:
    images = np.random.default_rng(0).integers(1, 256, (4, 2, 3, channels)).astype(dtype)
    model = build(channels, dtype)
    assert model.output.shape == (None, 2, 3, channels)
    masked = model.predict_on_batch([images, np.repeat(LUNGS, 4, axis=0)])
    assert masked.dtype == np.float32
    np.testing.assert_array_equal(masked, images * INSIDE)


def test_half_precision_does_not_reach_the_greys() -> None:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = ApplyMask()
    finally:
        keras.config.set_dtype_policy(policy)
    images = np.full((1, 2, 3, 1), 200.7, np.float32)
    masked = keras.ops.convert_to_numpy(layer([images, LUNGS]))
    np.testing.assert_array_equal(masked, images * INSIDE.astype(np.float32))


def test_a_saved_model_loads_and_gives_the_same(tmp_path: Path) -> None:
    model, images = build(1), np.full((1, 2, 3, 1), 9, np.float32)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.get_layer("masked"), ApplyMask)
    np.testing.assert_array_equal(again.predict_on_batch([images, LUNGS]), images * INSIDE)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_the_net_that_makes_the_images_learns_and_the_one_that_draws_the_mask_stays() -> None:
    image, seed = keras.Input((2, 3, 1)), keras.Input((2, 3, 1))
    draw = keras.layers.Dense(1, kernel_initializer="ones", name="draw")
    before = keras.layers.Dense(1, kernel_initializer="ones", name="before")
    masked = ApplyMask()([before(image), draw(seed)])
    model = keras.Model([image, seed], keras.layers.GlobalAveragePooling2D()(masked))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.train_on_batch([np.ones((1, 2, 3, 1), np.float32), LUNGS], np.full((1, 1), 5.0))
    assert before.get_weights()[0].item() > 1
    assert draw.get_weights()[0].item() == 1


def test_it_is_layer_normalisation_over_the_whole_image() -> None:
    images = np.random.default_rng(0).random((2, 3, 4, 2), np.float32)
    own = keras.layers.LayerNormalization(axis=(1, 2, 3), epsilon=0.1)(images)
    again = ImageNormalization.from_config(ImageNormalization(epsilon=0.1).get_config())
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(again(images)), keras.ops.convert_to_numpy(own)
    )
    assert "axis" not in again.get_config()
