"""Class activation maps are the papers' equations."""

import cv2
import keras
import numpy as np
import pytest

from kagglecxr.core.errors import SettingError, UnknownNameError
from kagglecxr.models import create_model
from kagglecxr.saliency.explained_model import ExplainedModel
from kagglecxr.saliency.gradcam import (
    alphas,
    gradcam,
    gradcam_plus_plus,
    gradcam_second_order,
)
from tests.saliency.small_nets import noise, random_net

TARGETS = np.array([2, 0])


def features_and_kernel(explained: ExplainedModel, layer: str) -> tuple[np.ndarray, np.ndarray]:
    trunk = keras.Model(explained.model.input, explained.model.get_layer(layer).output)
    kernel, _ = explained.model.get_layer("logits").get_weights()
    return keras.ops.convert_to_numpy(trunk(noise(), training=False)), kernel


def test_gradcam_is_cam_where_a_dense_layer_follows_the_mean() -> None:
    """Zhou et al. 2016, equation 2; the mean's 1/hw stays in the gradient."""
    explained = random_net()
    features, kernel = features_and_kernel(explained, "relu2")
    cams = np.einsum("nhwk,kn->nhw", features, kernel[:, TARGETS]) / features[0, ..., 0].size
    expected = [cv2.resize(np.maximum(cam, 0).astype(np.float32), (32, 32)) for cam in cams]
    np.testing.assert_allclose(gradcam(explained, noise(), TARGETS, "relu2"), expected, atol=1e-6)
    assert np.ptp(expected) > 0


def test_gradcam_of_a_backbone_of_the_zoo_is_cam_too() -> None:
    keras.utils.set_random_seed(0)
    model = create_model("mobilenet_025", num_classes=3, input_shape=(32, 32, 1))
    explained = ExplainedModel(model)
    features, kernel = features_and_kernel(explained, "conv_pw_13_relu")
    cams = np.einsum("nhwk,kn->nhw", features, kernel[:, TARGETS]) / features[0, ..., 0].size
    expected = [cv2.resize(np.maximum(cam, 0).astype(np.float32), (32, 32)) for cam in cams]
    np.testing.assert_allclose(gradcam(explained, noise(), TARGETS), expected, atol=1e-6)


def test_alphas_are_those_computed_by_hand() -> None:
    features = np.array([[[[1.0], [3.0]]]], np.float32)
    gradients = np.array([[[[2.0], [0.0]]]], np.float32)
    # 2² / (2·2² + (1 + 3)·2³) = 4 / 40, and 0 where nothing depends on the pixel.
    np.testing.assert_allclose(alphas(features, gradients), [[[[0.1], [0.0]]]])


def test_gradcam_plus_plus_weighs_by_alphas() -> None:
    explained = random_net()
    features, kernel = features_and_kernel(explained, "relu2")
    gradient = np.broadcast_to(
        kernel[:, TARGETS].T[:, None, None] / features[0, ..., 0].size, features.shape
    )
    weights = alphas(features, gradient) * np.maximum(gradient, 0)
    maps = (weights.sum(axis=(1, 2), keepdims=True) * features).sum(axis=-1)
    expected = [cv2.resize(np.maximum(one, 0).astype(np.float32), (32, 32)) for one in maps]
    maps = gradcam_plus_plus(explained, noise(), TARGETS, "relu2")
    np.testing.assert_allclose(maps, expected, rtol=1e-5)


def test_second_order_maps_are_clipped() -> None:
    maps = gradcam_second_order(random_net(), noise(), TARGETS, "relu2")
    assert maps.min() >= 0
    assert maps.max(axis=(1, 2)).tolist() == [1, 1]
    # A hundredth of the pixels, and not one alone.
    assert 5 < (maps[0] == 1).sum() < 20


def test_nothing_speaks_for_a_class_in_black_features() -> None:
    explained = random_net()
    kernel, bias = explained.model.get_layer("conv2").get_weights()
    explained.model.get_layer("conv2").set_weights([kernel, np.full_like(bias, -100)])
    for method in (gradcam, gradcam_plus_plus, gradcam_second_order):
        assert not method(explained, noise(), TARGETS, "relu2").any()


def test_one_sigmoid_has_two_targets() -> None:
    explained = random_net(classes=1)
    kernel, _ = explained.model.get_layer("logits").get_weights()
    features, _ = features_and_kernel(explained, "relu2")
    plain = np.einsum("nhwk,k->nhw", features, kernel[:, 0]) / features[0, ..., 0].size
    for target, sign in ((1, 1), (0, -1)):
        maps = gradcam(explained, noise(), np.full(2, target), "relu2")
        expected = np.maximum(sign * plain, 0).mean()
        assert maps.mean() == pytest.approx(expected, rel=0.1, abs=1e-7)


def test_layers_that_cannot_be_asked_are_named() -> None:
    model = create_model("resnet50_v2", num_classes=2, input_shape=(32, 32, 1))
    explained = ExplainedModel(model)
    with pytest.raises(SettingError, match=r"conv2_block1_1_conv.*connection around it"):
        gradcam(explained, noise(), TARGETS, "conv2_block1_1_conv")
    with pytest.raises(UnknownNameError, match="conv9"):
        gradcam(explained, noise(), TARGETS, "conv9")
