"""Steps inside a model give the numbers of the pipeline."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.data.pixels.preprocessing import Pipeline
from kagglecxr.models.layers.preprocessing import Colours, Gamma, Luma, WholeGreys


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
    np.testing.assert_array_equal(numbers(Luma()(every_colour))[0, ..., 0], expected)


def test_grey_stays_grey() -> None:
    greys = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    np.testing.assert_array_equal(numbers(Luma()(greys)), greys)
    np.testing.assert_array_equal(numbers(Colours()(greys)), np.repeat(greys, 3, axis=-1))


def test_colours_stay_colours(every_colour: npt.NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(numbers(Colours()(every_colour[:, :9])), every_colour[:, :9])


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
    assert numbers(WholeGreys()(pixels)).ravel().tolist() == expected


@pytest.mark.parametrize(
    ("layer", "channels"), [(WholeGreys(), None), (Colours(), 3), (Luma(), 1), (Gamma(0.5), None)]
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
        for layer in (WholeGreys(), Luma(), Gamma(1.0)):
            np.testing.assert_array_equal(numbers(layer(image)), image)
    finally:
        keras.config.set_dtype_policy(before)
