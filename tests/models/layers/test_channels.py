"""Three channels of a grey image in a model are those that the preprocessing step writes."""

from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kagglecxr.core.errors import SettingError
from kagglecxr.data.images.steps import STEPS, ImageAndMask
from kagglecxr.data.phantoms import draw_phantom
from kagglecxr.models.layers import EqualisedBrightenedEdges

Pixels = npt.NDArray[np.uint8]
SHAPES = st.sampled_from([(1, 1, 1, 1), (2, 1, 9, 1), (2, 7, 1, 1), (3, 2, 2, 1), (1, 9, 14, 1)])


def by_the_step(images: Pixels, brightening: int = 40) -> Pixels:
    """The preprocessing step on each image."""
    return np.stack(
        [STEPS["stack"](ImageAndMask(image[..., 0].copy()), brightening).image for image in images]
    )


def build(*shape: int | None, dtype: str = "uint8", **options: int) -> keras.Model:
    inputs = keras.Input(shape, dtype=dtype)
    return keras.Model(inputs, EqualisedBrightenedEdges(name="stack", **options)(inputs))


@settings(max_examples=100, deadline=None)
@given(arrays(np.uint8, SHAPES), st.integers(0, 255))
def test_any_image_comes_out_as_the_step_has_it(images: Pixels, brightening: int) -> None:
    layer = EqualisedBrightenedEdges(brightening)
    result = keras.ops.convert_to_numpy(layer(images))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, by_the_step(images, brightening))


@pytest.mark.usefixtures("free_to_compile")
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_radiograph_in_a_model_of_any_size(dtype: str, compiled: bool) -> None:
    if compiled and keras.backend.backend() == "torch":
        pytest.skip("torch.compile needs a C++ compiler on the machine")
    model = build(None, None, 1, dtype=dtype)
    assert model.output.shape == (None, None, None, 3)
    if compiled:
        model.jit_compile = True
    for size in (64, 96):
        images = np.stack([draw_phantom("COVID", k, 0, 0, size=size).image for k in range(2)])
        result = model.predict_on_batch(images[..., None].astype(dtype))
        np.testing.assert_array_equal(result, by_the_step(images[..., None]))


def test_half_precision_leaves_the_greys_whole() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 30, 30, 1), np.uint8)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        result = keras.ops.convert_to_numpy(EqualisedBrightenedEdges()(images))
    finally:
        keras.config.set_dtype_policy(policy)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, by_the_step(images))


def test_a_saved_model_loads_and_gives_the_same(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 12, 10, 1), np.uint8)
    build(12, 10, 1, brightening=25).save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict_on_batch(images), by_the_step(images, 25))


def test_colour_is_refused() -> None:
    with pytest.raises(SettingError, match="gray images"):
        build(8, 8, 3)


@pytest.mark.parametrize("brightening", [-1, 256, 0.5])
def test_a_brightening_that_is_no_grey_is_refused(brightening: int) -> None:
    with pytest.raises(SettingError, match="Brightening"):
        EqualisedBrightenedEdges(brightening)
