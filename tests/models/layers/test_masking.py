"""Only the lungs are left of an image, and only the image is learnt through."""

from pathlib import Path

import keras
import numpy as np
import pytest

from kagglecxr.models.layers import ApplyMask

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
