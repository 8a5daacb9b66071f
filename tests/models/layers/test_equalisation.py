"""The equalising layer gives OpenCV's very numbers, however the model around it is run."""

from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kagglecxr.data.phantoms import draw_phantom
from kagglecxr.models.layers import HistogramEqualization
from kagglecxr.models.layers.equalisation import nearest_scale

Pixels = npt.NDArray[np.uint8]
Greys = npt.NDArray[np.float32]
Run = Callable[[npt.NDArray[np.generic]], Greys]
SIDE = 64


def by_opencv(images: Pixels) -> Pixels:
    """Every image and channel equalised by OpenCV."""
    planes = np.moveaxis(images, -1, 1).reshape(-1, *images.shape[1:3])
    equal = np.stack([cv2.equalizeHist(np.ascontiguousarray(plane)) for plane in planes])
    batch, height, width, channels = images.shape
    return np.moveaxis(equal.reshape(batch, channels, height, width), 1, -1)


def eagerly(images: npt.NDArray[np.generic], **options: str) -> Greys:
    result: Greys = keras.ops.convert_to_numpy(HistogramEqualization(**options)(images))
    return result


def model_of(layer: keras.layers.Layer, dtype: str, *shape: int | None) -> keras.Model:
    inputs = keras.Input(shape, dtype=dtype)
    return keras.Model(inputs, layer(inputs))


@pytest.fixture(params=["eager", "graph", "compiled"])
def run(request: pytest.FixtureRequest, free_to_compile: None) -> Run:
    """Each way in which Keras may run the layer on one channel."""
    if request.param == "eager":
        return eagerly
    if request.param == "compiled" and keras.backend.backend() == "torch":
        pytest.skip("torch.compile needs a C++ compiler on the machine")

    def predict(images: npt.NDArray[np.generic]) -> Greys:
        model = model_of(HistogramEqualization(), str(images.dtype), *images.shape[1:])
        if request.param == "compiled":
            model.jit_compile = True
        result: Greys = model.predict_on_batch(images)
        return result

    return predict


@pytest.fixture(scope="module")
def images() -> Pixels:
    """A radiograph, noise, narrow noise, a ramp, two greys, one pixel apart, one grey thrice."""
    random = np.random.default_rng(0)
    plain = np.full((SIDE, SIDE), 7, np.uint8)
    apart = plain.copy()
    apart[5, 5] = 8
    kinds = [
        draw_phantom("Normal", 0, 0, 0, size=SIDE).image,
        random.integers(0, 256, plain.shape, np.uint8),
        random.integers(90, 94, plain.shape, np.uint8),
        np.broadcast_to(np.arange(SIDE, dtype=np.uint8) * 4, plain.shape),
        np.where(random.random(plain.shape) < 0.3, 255, 0).astype(np.uint8),
        apart,
        plain,
        np.zeros_like(plain),
        np.full_like(plain, 255),
    ]
    return np.stack(kinds)[..., None]


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_every_way_to_run_it_gives_opencv_s_numbers(images: Pixels, run: Run, dtype: str) -> None:
    result = run(images.astype(dtype))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, by_opencv(images))


SHAPES = st.sampled_from([(1, 1, 1, 1), (3, 1, 9, 1), (2, 7, 1, 3), (3, 6, 5, 2), (1, 24, 17, 1)])
RANGES = st.sampled_from([(0, 255), (0, 3), (100, 101), (250, 255), (0, 60)])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_image_comes_out_as_opencv_has_it(data: st.DataObject) -> None:
    low, high = data.draw(RANGES)
    images = data.draw(arrays(np.uint8, SHAPES, elements=st.integers(low, high)))
    np.testing.assert_array_equal(eagerly(images), by_opencv(images))


def test_the_scale_is_the_nearest_float_for_any_number_of_pixels() -> None:
    most = 255 * 2**16
    random = np.random.default_rng(0).integers(1, most, 100_000)
    others = np.concatenate([np.arange(1, 300_000), random, [most - 1, most]]).astype(np.int32)
    scale = keras.ops.convert_to_numpy(nearest_scale(keras.ops.convert_to_tensor(others[:, None])))
    np.testing.assert_array_equal(scale[:, 0], np.float32(255) / others.astype(np.float32))


def test_one_model_takes_images_of_any_size_and_number_of_channels() -> None:
    random = np.random.default_rng(1)
    model = model_of(HistogramEqualization(), "uint8", None, None, None)
    assert model.output.shape == (None, None, None, None)
    for shape in ((2, 20, 30, 1), (5, 33, 8, 3)):
        images = random.integers(0, 200, shape, np.uint8)
        np.testing.assert_array_equal(model.predict_on_batch(images), by_opencv(images))


def test_fractions_are_rounded_and_what_leaves_the_greys_is_cut(run: Run) -> None:
    images = np.array([[-3.0, 0.49, 0.5, 1.5, 2.4], [2.5, 99.6, 254.5, 256.0, 1e6]], np.float32)
    whole = np.array([[0, 0, 0, 2, 2], [2, 100, 254, 255, 255]], np.uint8)
    np.testing.assert_array_equal(run(images[None, ..., None]), by_opencv(whole[None, ..., None]))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float16"])
def test_half_precision_leaves_the_counts_whole(images: Pixels, dtype: str) -> None:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        result = eagerly(images.astype(dtype))
    finally:
        keras.config.set_dtype_policy(policy)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, by_opencv(images))


def test_a_saved_model_loads_and_gives_the_same(images: Pixels, tmp_path: Path) -> None:
    model = model_of(HistogramEqualization(name="equal"), "uint8", SIDE, SIDE, 1)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.get_layer("equal"), HistogramEqualization)
    np.testing.assert_array_equal(again.predict_on_batch(images), by_opencv(images))


def test_a_model_learns_behind_it(images: Pixels) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIDE, SIDE, 1))
    x = keras.layers.Rescaling(1 / 255)(HistogramEqualization()(inputs))
    x = keras.layers.Conv2D(4, 3, strides=4, activation="relu")(x)
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    model.compile(keras.optimizers.Adam(0.01), "mse")
    targets = by_opencv(images).mean(axis=(1, 2)) / 255
    history = model.fit(images, targets, epochs=15, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
