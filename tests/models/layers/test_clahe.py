"""Contrast-limited equalisation inside a model gives the numbers of cv2.createCLAHE."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import SettingError
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.models.layers.clahe import ContrastLimitedEqualization


def film(height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """A dark image with a bright part: greys that are frequent enough to be cut off."""
    random = np.random.default_rng(seed)
    grey = random.normal(60, 8, (height, width))
    grey[height // 3 :, width // 2 :] += random.normal(120, 40, (height, width))[
        height // 3 :, width // 2 :
    ]
    return np.clip(grey, 0, 255).astype(np.uint8)


def by_layer(image: npt.NDArray[np.uint8], clip: float, tiles: int) -> npt.NDArray[np.float32]:
    layer = ContrastLimitedEqualization(clip, tiles)
    return np.asarray(keras.ops.convert_to_numpy(layer(image[None, ..., None]))[0, ..., 0])


@settings(deadline=None, max_examples=60)
@given(
    st.integers(20, 70),
    st.integers(20, 70),
    st.floats(0.1, 40.0),
    st.integers(1, 9),
    st.integers(0, 9),
)
def test_any_image_becomes_what_opencv_makes_of_it(
    height: int, width: int, clip: float, tiles: int, seed: int
) -> None:
    image = film(height, width, seed)
    expected = Pipeline.parse(f"clahe({clip!r}, {tiles})", 1)(image)
    np.testing.assert_array_equal(by_layer(image, clip, tiles), expected)


@pytest.mark.parametrize("shape", [(64, 64), (64, 60), (60, 64), (61, 67), (224, 224)])
def test_tiles_that_do_not_fit_are_filled_as_opencv_fills_them(shape: tuple[int, int]) -> None:
    image = film(*shape)
    np.testing.assert_array_equal(by_layer(image, 2.0, 8), Pipeline.parse("clahe", 1)(image))


def test_an_image_of_one_grey_is_what_opencv_makes_of_it() -> None:
    image = np.full((40, 40), 77, np.uint8)
    np.testing.assert_array_equal(by_layer(image, 2.0, 8), Pipeline.parse("clahe", 1)(image))


def test_each_image_of_a_batch_is_equalised_alone() -> None:
    images = np.stack([film(40, 48, seed) for seed in range(3)])[..., None]
    together = keras.ops.convert_to_numpy(ContrastLimitedEqualization()(images))
    for image, equalised in zip(images, together, strict=True):
        np.testing.assert_array_equal(equalised[..., 0], by_layer(image[..., 0], 2.0, 8))


def test_the_layer_is_built_again_from_its_config(tmp_path: Any) -> None:
    inputs = keras.Input((48, 40, 1))
    model = keras.Model(inputs, ContrastLimitedEqualization(3.0, 4, name="clahe")(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert (again.get_layer("clahe").clip, again.get_layer("clahe").tiles) == (3.0, 4)
    assert not again.get_layer("clahe").supports_jit
    image = film(48, 40)
    got = again.predict(image[None, ..., None], verbose=0)[0, ..., 0]
    np.testing.assert_array_equal(got, by_layer(image, 3.0, 4))


@pytest.mark.parametrize("shape", [(None, None, 1), (40, 40, 3)])
def test_other_images_are_refused(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(SettingError, match=str(shape[-1])):
        ContrastLimitedEqualization()(keras.Input(shape))
