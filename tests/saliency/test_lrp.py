"""Relevance is shared out as the paper says, and none of it is lost."""

import keras
import numpy as np
import pytest
from keras import layers

from kagglecxr.core.errors import SettingError
from kagglecxr.models import create_model
from kagglecxr.saliency.explained_model import ExplainedModel
from kagglecxr.saliency.gradients import gradient_input
from kagglecxr.saliency.lrp import (
    Rule,
    _alpha_beta,
    _epsilon,
    _zero,
    lrp_alpha_beta,
    lrp_epsilon,
    lrp_zero,
    propagate,
)
from tests.saliency.small_nets import SIZE, finish, noise, random_net, target_scores

TARGETS = np.array([2, 0])


def normed(model: keras.Model, seed: int = 0) -> ExplainedModel:
    """A model whose batch normalisations have statistics of their own, of both signs."""
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            count = len(layer.get_weights()[0])
            spread = [random.normal(0, 0.3, count) for _ in range(3)]
            gamma = [np.sign(spread[0]) * random.uniform(0.5, 1.5, count)] * layer.scale
            layer.set_weights([*gamma, spread[1], spread[2], random.uniform(0.5, 2, count)])
    return ExplainedModel(model)


def test_lrp_zero_is_gradient_times_input_in_a_net_of_relus_with_biases() -> None:
    explained = random_net()
    expected = gradient_input(explained, noise(), TARGETS)
    np.testing.assert_allclose(lrp_zero(explained, noise(), TARGETS), expected, atol=1e-6)
    assert np.abs(expected).max() > 1e-4


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("mobilenet_025", _zero),
        ("resnet50_v2", _alpha_beta),
        pytest.param("densenet121", _zero, marks=pytest.mark.slow),
        pytest.param("densenet121", _alpha_beta, marks=pytest.mark.slow),
        pytest.param("xception", _zero, marks=pytest.mark.slow),
        pytest.param("xception", _alpha_beta, marks=pytest.mark.slow),
    ],
)
def test_relevance_is_conserved(name: str, rule: Rule) -> None:
    """Pixels and biases together have the score: folded norms, shifted ReLUs and branches too."""
    keras.utils.set_random_seed(0)
    size = 71 if name == "xception" else SIZE
    model = create_model(name, num_classes=3, input_shape=(size, size, 1))
    explained = normed(model)
    images = np.random.default_rng(1).integers(0, 256, (2, size, size, 1)).astype(np.float32)
    found = propagate(explained, images, TARGETS, rule)
    total = found.pixels.sum(axis=(1, 2), dtype=np.float64) + found.biases
    magnitude = np.abs(found.pixels).sum() / 2
    np.testing.assert_allclose(
        total, target_scores(explained, images, TARGETS), atol=1e-3 * max(magnitude, 1e-3)
    )


def test_epsilon_leaves_less_and_the_same_signs() -> None:
    explained = random_net()
    plain = propagate(explained, noise(), TARGETS, _zero)
    damped = propagate(explained, noise(), TARGETS, _epsilon)
    assert np.abs(damped.pixels).sum() < np.abs(plain.pixels).sum()
    np.testing.assert_array_equal(damped.pixels, lrp_epsilon(explained, noise(), TARGETS))


def test_the_alpha_beta_rule_computed_by_hand() -> None:
    """Of the logit 2 = 3 - 1 what is for it gets twice as much, and what is against it loses it."""
    image = keras.Input((1, 1, 2), name="image")
    explained = finish(image, layers.Conv2D(1, 1, use_bias=False)(image), 2)
    first, last = (layer for layer in explained.model.layers if layer.weights)
    first.set_weights([np.array([1.0, -1.0]).reshape(1, 1, 2, 1)])
    last.set_weights([np.array([[1.0, 0.0]]), np.zeros(2)])
    found = propagate(explained, np.array([[[[3.0, 1.0]]]], np.float32), np.array([0]), _alpha_beta)
    # The map is summed over channels: 2 * 2 of the first and -1 * 2 of the second.
    assert found.pixels.ravel().tolist() == pytest.approx([4 - 2])
    only_for = propagate(
        explained, np.array([[[[3.0, 0.0]]]], np.float32), np.array([0]), _alpha_beta
    )
    assert only_for.pixels.ravel().tolist() == pytest.approx([3])


def test_a_norm_before_a_relu_is_a_shifted_relu() -> None:
    """Folding it into the next layer by hand gives the same relevance."""
    keras.utils.set_random_seed(1)
    image = keras.Input((SIZE, SIZE, 1), name="image")
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    pooled = layers.MaxPooling2D(2)(x)
    x = layers.BatchNormalization(name="norm")(pooled)
    x = layers.ReLU()(x)
    explained = finish(image, layers.Conv2D(3, 3, padding="same", activation="relu")(x), 3)
    explained = normed(explained.model)
    found = propagate(explained, noise(), TARGETS, _zero)
    total = found.pixels.sum(axis=(1, 2)) + found.biases
    np.testing.assert_allclose(total, target_scores(explained, noise(), TARGETS), rtol=1e-3)


def test_methods_are_equivariant_to_a_flip() -> None:
    explained = random_net()
    for layer in explained.model.layers:
        if isinstance(layer, layers.Conv2D):
            kernel, bias = layer.get_weights()
            layer.set_weights([(kernel + kernel[:, ::-1]) / 2, bias])
    for method in (lrp_zero, lrp_epsilon, lrp_alpha_beta):
        maps = method(explained, noise(), TARGETS)
        mirrored = method(explained, noise()[:, :, ::-1], TARGETS)
        np.testing.assert_allclose(mirrored[:, :, ::-1], maps, atol=1e-6)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "efficientnet_b0"])
def test_networks_without_agreed_rules_are_refused(name: str) -> None:
    model = create_model(name, num_classes=3, input_shape=(32, 32, 1))
    with pytest.raises(SettingError, match=r"no agreed rule.*Use gradcam"):
        lrp_zero(ExplainedModel(model), noise(), TARGETS)
