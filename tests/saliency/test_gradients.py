"""Maps of gradients are what calculus says."""

import keras
import numpy as np
import pytest
from keras import layers

from kagglecxr.core.errors import SettingError
from kagglecxr.saliency.backend import value_and_gradient
from kagglecxr.saliency.gradients import (
    gradient_input,
    gradients,
    guided_backpropagation,
    image_gradients,
    integrated_gradients,
    smoothgrad,
)
from tests.saliency.small_nets import SIZE, finish, noise, random_net, target_scores

TARGETS = np.array([2, 0])


def test_a_gradient_tells_how_the_score_changes() -> None:
    explained = random_net()
    step = np.zeros((2, SIZE, SIZE, 1), np.float32)
    step[:, 10, 7] = 0.5
    maps = gradients(explained, noise(), TARGETS)
    both = (
        target_scores(explained, noise() + step, TARGETS)
        - target_scores(explained, noise() - step, TARGETS)
    ) / 1.0
    np.testing.assert_allclose(maps[:, 10, 7], both, rtol=0.02, atol=1e-7)
    np.testing.assert_allclose(
        gradient_input(explained, noise(), TARGETS), noise()[..., 0] * maps, rtol=1e-5
    )


def test_channels_are_summed() -> None:
    explained = random_net(channels=3)
    each = image_gradients(explained.scores, noise(channels=3), TARGETS)
    maps = gradients(explained, noise(channels=3), TARGETS)
    np.testing.assert_allclose(maps, each.sum(axis=-1), rtol=1e-5)


@pytest.mark.parametrize("relu", ["relu", "relu6", "gelu"])
def test_integrated_gradients_are_complete(relu: str) -> None:
    explained = random_net(relu=relu)
    maps = integrated_gradients(explained, noise(), TARGETS)
    expected = target_scores(explained, noise(), TARGETS) - target_scores(
        explained, np.zeros_like(noise()), TARGETS
    )
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), expected, rtol=0.01)


def test_smoothgrad_of_no_noise_is_the_gradient_and_of_some_the_mean() -> None:
    explained, random = random_net(), np.random.default_rng(0)
    plain = gradients(explained, noise(), TARGETS)
    still = smoothgrad(explained, noise(), TARGETS, random, samples=2, noise=0.0)
    np.testing.assert_allclose(still, plain, rtol=1e-5, atol=1e-9)
    smooth = smoothgrad(explained, noise(), TARGETS, np.random.default_rng(0), samples=40)
    again = smoothgrad(explained, noise(), TARGETS, np.random.default_rng(1), samples=40)
    assert np.corrcoef(smooth.ravel(), again.ravel())[0, 1] > 0.5
    assert not np.allclose(smooth, plain)


@pytest.mark.parametrize(("relu", "limit"), [("relu", np.inf), ("relu6", 6.0)])
def test_the_gate_of_guided_back_propagation(relu: str, limit: float) -> None:
    """A pixel is seen where its own ReLU is open, and only if what comes from above is positive."""
    image = keras.Input((SIZE, SIZE, 1), name="image")
    x = layers.Conv2D(2, 1, activation=relu, name="conv1")(image)
    explained = finish(image, x, 2)
    first, last = (layer for layer in explained.model.layers if layer.weights)
    kernel = np.array([1.0, -1.0], np.float32)
    first.set_weights([kernel.reshape(1, 1, 1, 2), np.array([-100.0, 100.0])])
    top = np.array([[0.5, -1.0], [-2.0, 1.0]], np.float32)
    last.set_weights([top, np.zeros(2)])
    images = np.random.default_rng(0).uniform(90, 112, (2, SIZE, SIZE, 1)).astype(np.float32)
    before = images * kernel + [-100, 100]
    is_open = (before > 0) & (before < limit)
    above = np.maximum(top[:, [1, 0]].T, 0)[:, None, None, :] / SIZE**2
    expected = (is_open * above * kernel).sum(axis=-1)
    maps = guided_backpropagation(explained, images, np.array([1, 0]))
    np.testing.assert_allclose(maps, expected, atol=1e-9)
    assert 0.2 < is_open.mean() < 0.8


def test_guided_back_propagation_leaves_the_model_as_it_was() -> None:
    explained = random_net()
    plain = gradients(explained, noise(), TARGETS)
    guided = guided_backpropagation(explained, noise(), TARGETS)
    assert not np.allclose(plain, guided)
    np.testing.assert_array_equal(plain, gradients(explained, noise(), TARGETS))


def test_a_network_without_relu_is_refused() -> None:
    with pytest.raises(SettingError, match=r"has none\. Use gradcam"):
        guided_backpropagation(random_net(relu="gelu"), noise(), TARGETS)


def test_a_value_that_does_not_depend_on_its_input_has_the_gradient_zero() -> None:
    values, gradient = value_and_gradient(lambda x: keras.ops.sum(0 * x, axis=1), np.ones((2, 3)))
    assert values.tolist() == [0, 0]
    assert not gradient.any()
