"""The generalised mean stands between mean and maximum, and learns where."""

from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kagglecxr.core.errors import SettingError
from kagglecxr.models.layers import GeneralizedMeanPooling2D

Features = npt.NDArray[np.float32]
FEATURES = arrays(
    np.float32, (2, 3, 4, 5), elements=st.floats(0.015625, 1000, width=32, allow_nan=False)
)


def pooled(features: Features, power: float) -> Features:
    layer = GeneralizedMeanPooling2D(power)
    result: Features = keras.ops.convert_to_numpy(layer(features))
    return result


@settings(deadline=None)
@given(FEATURES)
def test_the_first_power_is_the_mean(features: Features) -> None:
    np.testing.assert_allclose(pooled(features, 1.0), features.mean(axis=(1, 2)), rtol=1e-5)


@settings(deadline=None)
@given(FEATURES)
def test_the_third_power_is_the_papers_equation(features: Features) -> None:
    cubes = (features.astype(np.float64) ** 3).mean(axis=(1, 2))
    np.testing.assert_allclose(pooled(features, 3.0), cubes ** (1 / 3), rtol=1e-5)


@settings(deadline=None)
@given(FEATURES)
def test_a_great_power_nears_the_maximum_from_below(features: Features) -> None:
    largest = features.max(axis=(1, 2))
    near = pooled(features, 1000.0)
    assert (near <= largest * 1.00001).all()
    # The mean of 12 values, one of them the largest, is at least (1 / 12) ** (1 / 1000) of it.
    assert (near >= largest * 0.997).all()


def test_zeros_and_negative_features_count_as_the_least_value() -> None:
    features = np.array([0.0, -5.0, 0.0, 8.0], np.float32).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(pooled(features, 3.0), [[8 / 4 ** (1 / 3)]], rtol=1e-5)
    np.testing.assert_allclose(pooled(-features[:, :, :1] - 9, 3.0), [[1e-6]], rtol=1e-4)


def build(power: float = 3.0) -> keras.Model:
    inputs = keras.Input((None, None, 5))
    return keras.Model(inputs, GeneralizedMeanPooling2D(power, epsilon=1e-5, name="pool")(inputs))


@pytest.mark.parametrize(("target", "rises"), [(np.max, True), (np.mean, False)])
def test_the_exponent_learns(target: np.ufunc, rises: bool) -> None:
    features = np.random.default_rng(0).random((16, 3, 4, 5), np.float32)
    model = build()
    assert model.output.shape == (None, 5)
    assert model.count_params() == 1
    model.compile(keras.optimizers.Adam(0.05), "mse")
    model.fit(features, target(features, axis=(1, 2)), epochs=5, verbose=0)
    (power,) = model.get_weights()
    assert np.isfinite(power)
    assert (power > 3) == rises


def test_no_gradient_is_lost_where_a_map_is_black() -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 2))
    x = GeneralizedMeanPooling2D()(keras.layers.ReLU()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    model.compile("adam", "mse")
    model.train_on_batch(np.zeros((2, 4, 4, 2), np.float32), np.ones((2, 1)))
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_half_precision_does_not_reach_the_powers() -> None:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = GeneralizedMeanPooling2D()
    finally:
        keras.config.set_dtype_policy(policy)
    features = np.full((1, 2, 2, 1), 60.0, np.float16)
    result = keras.ops.convert_to_numpy(layer(features))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [[60.0]], rtol=1e-6)


def test_a_saved_model_loads_and_gives_the_same(tmp_path: Path) -> None:
    model = build(2.5)
    model.get_layer("pool").power.assign(4.5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_layer("pool").get_config() == model.get_layer("pool").get_config()
    features = np.random.default_rng(0).random((2, 3, 4, 5), np.float32)
    expected = pooled(features, 4.5)
    np.testing.assert_allclose(again.predict_on_batch(features), expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{"power": 0.0}, {"power": -1.0}, {"epsilon": 0.0}])
def test_an_exponent_that_is_not_above_zero_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="generalised mean"):
        GeneralizedMeanPooling2D(**options)
