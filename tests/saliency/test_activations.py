"""Filters and feature maps are those of the layer."""

import keras
import numpy as np
import pytest
from keras import layers

from kagglecxr.core.errors import SettingError, UnknownNameError
from kagglecxr.saliency.activations import convolution_names, feature_maps_of, filters_of


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="colour")(image)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.Conv2D(5, 1, name="point")(x)
    x = layers.Conv2D(6, (2, 3), name="grey")(x)
    return keras.Model(image, layers.GlobalMaxPooling2D(name="pool")(x), name="net")


def test_filters(model: keras.Model) -> None:
    kernels = {layer.name: layer.get_weights()[0] for layer in model.layers if layer.weights}
    assert convolution_names(model) == list(kernels)
    np.testing.assert_array_equal(filters_of(model, "colour")[2], kernels["colour"][..., 2])
    np.testing.assert_array_equal(
        filters_of(model, "depthwise")[1], kernels["depthwise"][:, :, 1, 0]
    )
    grey = kernels["grey"]
    assert filters_of(model, "grey").shape == (6, 2, 3)
    np.testing.assert_allclose(filters_of(model, "grey")[4], grey[..., 4].mean(axis=2))
    for name in ("point", "pool"):
        with pytest.raises(SettingError, match=f"no filters.*{name}.*colour"):
            filters_of(model, name)


def test_feature_maps(model: keras.Model) -> None:
    image = np.random.default_rng(0).random((8, 8, 3), np.float32)
    maps = feature_maps_of(model, "colour", image)
    assert maps.shape == (4, 6, 6)
    expected = (image[:3, :3] * model.get_layer("colour").get_weights()[0][..., 1]).sum()
    assert maps[1, 0, 0] == pytest.approx(expected, abs=1e-5)
    with pytest.raises(SettingError, match=r"pool of net, of shape \(6,\).*grey"):
        feature_maps_of(model, "pool", image)
    with pytest.raises(UnknownNameError, match="colur"):
        feature_maps_of(model, "colur", image)
