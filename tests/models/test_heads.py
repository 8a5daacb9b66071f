"""Heads pool, drop and predict as they are named."""

import cv2
import keras
import numpy as np
import pytest

from kagglecxr.core.errors import SettingError
from kagglecxr.models import create_model
from kagglecxr.models.heads import POOLINGS, pooled_head

FEATURES = np.random.default_rng(0).random((4, 3, 5, 8)).astype(np.float32)


def _head(**options: object) -> keras.Model:
    features = keras.Input(FEATURES.shape[1:])
    return keras.Model(features, pooled_head(features, 3, **options))


def _pooled(name: str) -> np.ndarray:
    features = keras.Input(FEATURES.shape[1:])
    return keras.Model(features, POOLINGS[name](features, "pool")).predict(FEATURES, verbose=0)


def test_poolings_are_means_and_maxima_over_places() -> None:
    mean, most = FEATURES.mean(axis=(1, 2)), FEATURES.max(axis=(1, 2))
    np.testing.assert_allclose(_pooled("average"), mean, rtol=1e-5)
    np.testing.assert_allclose(_pooled("max"), most)
    np.testing.assert_allclose(_pooled("average_max"), np.hstack([mean, most]), rtol=1e-5)
    between = _pooled("gem")
    assert (between > mean).all()
    assert (between < most).all()


def test_dense_layers_stand_in_their_order() -> None:
    model = _head(dense=(6, 5), dropout=0.0)
    assert [layer.units for layer in model.layers if hasattr(layer, "units")] == [6, 5, 3]
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)


def test_multi_sample_dropout_averages_one_layer_over_several_drops() -> None:
    model = _head(dropout=0.5, dropout_samples=4)
    drops = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert (len(drops), len(dense)) == (4, 1)
    single = _head(dropout=0.5)
    single.set_weights(model.get_weights())
    np.testing.assert_allclose(
        model.predict(FEATURES, verbose=0), single.predict(FEATURES, verbose=0), rtol=1e-5
    )


def test_multi_sample_dropout_varies_less_in_training() -> None:
    spread = []
    for samples in (1, 16):
        keras.utils.set_random_seed(0)
        model = _head(dropout=0.5, dropout_samples=samples)
        predictions = [
            keras.ops.convert_to_numpy(model(FEATURES, training=True)) for _ in range(30)
        ]
        spread.append(np.std(predictions, axis=0).mean())
    assert spread[1] < 0.5 * spread[0]


@pytest.mark.parametrize("name", ["cnn_small", "mobilenet_025", "mobilenet_v3_small_minimalistic"])
def test_half_precision_predicts_in_single(name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 1), dtype=np.uint8)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = create_model(name, num_classes=3, input_shape=(64, 64, 1))
    finally:
        keras.config.set_dtype_policy("float32")
    predictions = model.predict(images, verbose=0)
    assert predictions.dtype == np.float32
    np.testing.assert_allclose(predictions.sum(axis=1), 1.0, rtol=1e-5)


def test_depths_are_pooled_before_each_halving() -> None:
    model = create_model(
        "mobilenet_025", num_classes=3, input_shape=(64, 64, 1), depths=3, pooling="average_max"
    )
    pooled = model.get_layer("pool_depths").output
    names = ["conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu"]
    maps = keras.Model(model.input, [*(model.get_layer(n).output for n in names), pooled])
    *features, found = maps.predict(np.random.default_rng(0).random((2, 64, 64, 1)), verbose=0)
    expected = [part for f in features for part in (f.mean(axis=(1, 2)), f.max(axis=(1, 2)))]
    np.testing.assert_allclose(found, np.hstack(expected), rtol=1e-4, atol=1e-6)


def test_no_depth_at_all_is_refused() -> None:
    with pytest.raises(SettingError, match="depths=0"):
        create_model("mobilenet_025", num_classes=3, input_shape=(64, 64, 1), depths=0)


@pytest.mark.slow
def test_a_backbone_may_be_given_smaller_images() -> None:
    keras.utils.set_random_seed(0)
    model = create_model("mobilenet_025", num_classes=3, input_shape=(96, 96, 1), side=64)
    small = create_model("mobilenet_025", num_classes=3, input_shape=(64, 64, 1))
    small.set_weights(model.get_weights())
    image = np.random.default_rng(0).integers(0, 256, (96, 96)).astype(np.uint8)
    resized = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    given, expected = (pixels[None, ..., None].astype(np.float32) for pixels in (image, resized))
    np.testing.assert_allclose(
        model.predict(given, verbose=0), small.predict(expected, verbose=0), atol=1e-6
    )
