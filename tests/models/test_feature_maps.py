"""Features are averaged before each halving of the size, in any kind of network."""

import keras
import numpy as np
import pytest

from kagglecxr.models import create_model
from kagglecxr.models.feature_maps import add_pooled_features
from kagglecxr.models.frozen_trunk import split_frozen_trunk

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1)).astype(np.float32)


def _model(name: str, trainable: str = "all") -> keras.Model:
    return create_model(name, num_classes=4, input_shape=(48, 48, 1), trainable=trainable)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("cnn_small", [16, 32, 64, 128]),
        ("mobilenet_025", [16, 32, 64, 256]),
        ("vgg16", [128, 256, 512, 512]),
        # A lung mask in front has halvings and doublings of its own.
        ("masked_separable_cnn", [32, 64, 64, 128]),
        ("cnn_3conv_dropout", [32, 64, 64]),
    ],
)
def test_the_depths_are_the_last_feature_maps_of_each_size(name: str, channels: list[int]) -> None:
    model = _model(name)
    outputs = add_pooled_features(model).outputs
    assert outputs[0] is model.output
    assert [tuple(output.shape) for output in outputs[1:]] == [(None, each) for each in channels]


def test_features_are_means_over_the_image_and_the_output_stays() -> None:
    model = _model("cnn_small")
    output, *pooled = add_pooled_features(model)(IMAGES)
    np.testing.assert_allclose(output, model(IMAGES), atol=1e-6)
    names = ["block1_1_relu", "block2_2_relu", "block3_2_relu", "block4_2_relu"]
    for name, features in zip(names, pooled, strict=True):
        expected = keras.Model(model.input, model.get_layer(name).output)(IMAGES)
        np.testing.assert_allclose(features, np.mean(expected, axis=(1, 2)), rtol=1e-5, atol=1e-6)


def test_features_are_of_single_precision_whatever_the_layers_are() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        outputs = add_pooled_features(_model("cnn_small")).outputs
    finally:
        keras.config.set_dtype_policy("float32")
    assert {output.dtype for output in outputs} == {"float32"}


def test_a_model_that_was_split_has_the_same_depths() -> None:
    model = _model("mobilenet_025", "head")
    before = [output.shape for output in add_pooled_features(model).outputs]
    split_frozen_trunk(model)
    again = add_pooled_features(model)
    assert [output.shape for output in again.outputs] == before
    np.testing.assert_array_equal(again(IMAGES)[0], model(IMAGES))
