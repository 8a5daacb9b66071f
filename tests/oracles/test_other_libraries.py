"""Our maps against those of four libraries, on a net of convolutions, biases and ReLUs.

Run: make test-oracles. Where a library defines a map otherwise, the difference is undone here and
its reason is told. Class activation maps are compared at a layer of the image's size, since each
library enlarges smaller ones in its own way (bicubic, splines, bilinear).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kagglecxr.saliency.explained_model import ExplainedModel
from kagglecxr.saliency.faithfulness import (
    STEPS,
    deletion,
    insertion,
    pointing_game,
    relevance_mass,
)
from kagglecxr.saliency.gradcam import gradcam, gradcam_plus_plus
from kagglecxr.saliency.gradients import gradients, integrated_gradients, smoothgrad
from kagglecxr.saliency.perturbation import occlusion
from tests.saliency.small_nets import SIZE, noise, random_net

REASON = "the other libraries are installed by make test-oracles"
attributions = pytest.importorskip("xplique.attributions", reason=REASON)
faithfulness = pytest.importorskip("xplique.metrics", reason=REASON)
gradcam_vis = pytest.importorskip("tf_keras_vis.gradcam", reason=REASON)
plus_plus_vis = pytest.importorskip("tf_keras_vis.gradcam_plus_plus", reason=REASON)
saliency_vis = pytest.importorskip("tf_keras_vis.saliency", reason=REASON)
scores_vis = pytest.importorskip("tf_keras_vis.utils.scores", reason=REASON)
pair = pytest.importorskip("saliency.core", reason=REASON)
quantus = pytest.importorskip("quantus", reason=REASON)

# These libraries warn of Keras' own past.
pytestmark = pytest.mark.filterwarnings("ignore")

LAYER = "conv1"
TARGETS = np.array([0, 1, 2])
ONE_HOT = np.eye(3, dtype=np.float32)


@pytest.fixture(scope="module")
def net() -> ExplainedModel:
    return random_net()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return noise(3)


def assert_alike(ours: np.ndarray, theirs: Any, least: float) -> None:
    """Whether maps are the same but for a factor of each image."""
    for one, other in zip(ours, np.asarray(theirs).reshape(ours.shape), strict=True):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > least


def assert_equal(ours: np.ndarray, theirs: Any, share: float = 1e-4) -> None:
    theirs = np.asarray(theirs).reshape(ours.shape)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=share * np.abs(theirs).max())


def test_gradcam(net: ExplainedModel, images: np.ndarray) -> None:
    ours = gradcam(net, images, TARGETS, LAYER)
    assert_equal(ours, attributions.GradCAM(net.scores, conv_layer=LAYER).explain(images, ONE_HOT))
    vis = gradcam_vis.Gradcam(net.scores, clone=False)
    score = scores_vis.CategoricalScore(TARGETS.tolist())
    assert_equal(ours, vis(score, images, penultimate_layer=LAYER, normalize_cam=False))
    # `saliency` divides each map by its largest value.
    options = {"three_dims": False}
    found = [_of_pair(net, pair.GradCam(), one, t, **options) for one, t in _each(images)]
    assert_alike(ours, np.stack(found), 0.99999)


def test_gradcam_plus_plus(net: ExplainedModel, images: np.ndarray) -> None:
    """Both others scale: xplique takes means where the paper sums, tf-keras-vis norms alphas."""
    ours = gradcam_plus_plus(net, images, TARGETS, LAYER)
    theirs = attributions.GradCAMPP(net.scores, conv_layer=LAYER).explain(images, ONE_HOT)
    assert_alike(ours, theirs, 0.9999)
    vis = plus_plus_vis.GradcamPlusPlus(net.scores, clone=False)
    score = scores_vis.CategoricalScore(TARGETS.tolist())
    found = vis(score, images, penultimate_layer=LAYER, normalize_cam=False)
    assert_alike(ours, found, 0.9999)


def test_gradients(net: ExplainedModel, images: np.ndarray) -> None:
    ours = gradients(net, images, TARGETS)
    # tf-keras-vis drops the sign.
    vis = saliency_vis.Saliency(net.scores, clone=False)
    score = scores_vis.CategoricalScore(TARGETS.tolist())
    assert_equal(np.abs(ours), vis(score, images, normalize_map=False, keepdims=True))
    method = pair.GradientSaliency()
    found = [_of_pair(net, method, one, target) for one, target in _each(images)]
    assert_equal(ours, np.stack(found))


def test_integrated_gradients(net: ExplainedModel, images: np.ndarray) -> None:
    """The others sum 300 even steps, ours 32 points of Gauss: their error is the difference."""
    ours = integrated_gradients(net, images, TARGETS)
    theirs = attributions.IntegratedGradients(net.scores, steps=300, baseline_value=0.0)
    assert_equal(ours, theirs.explain(images, ONE_HOT), 0.02)
    black = {"x_steps": 300, "x_baseline": np.zeros_like(images[0]), "batch_size": 50}
    method = pair.IntegratedGradients()
    found = [_of_pair(net, method, one, target, **black) for one, target in _each(images)]
    assert_equal(ours, np.stack(found), 0.02)


def test_smoothgrad(net: ExplainedModel, images: np.ndarray) -> None:
    """Each draws its own noise, so the means of 400 differ by chance."""
    random = np.random.default_rng(0)
    ours = smoothgrad(net, images, TARGETS, random, samples=400, noise=0.15)
    theirs = attributions.SmoothGrad(net.scores, nb_samples=400, noise=0.15 * np.ptp(images))
    assert_alike(ours, theirs.explain(images, ONE_HOT), 0.99)


def test_occlusion(net: ExplainedModel, images: np.ndarray) -> None:
    """xplique sums the patches over a pixel, ours is their mean; it has one grey for all images."""
    ours = occlusion(net, images, TARGETS, patches=8)
    patches = np.zeros((SIZE, SIZE))
    for row in range(0, SIZE - 7, 4):
        for column in range(0, SIZE - 7, 4):
            patches[row : row + 8, column : column + 8] += 1
    for number, target in enumerate(TARGETS):
        one = images[number][None]
        method = attributions.Occlusion(
            net.scores, patch_size=8, patch_stride=4, occlusion_value=float(one.mean())
        )
        theirs = np.asarray(method.explain(one, ONE_HOT[target][None])).reshape(SIZE, SIZE)
        assert_equal(ours[number], theirs / patches, 1e-3)


@pytest.mark.parametrize(("ours", "theirs"), [(deletion, "Deletion"), (insertion, "Insertion")])
def test_curves(
    net: ExplainedModel, images: np.ndarray, ours: Callable[..., Any], theirs: str
) -> None:
    """Insertion begins with a blurred image here and with black there."""
    maps = integrated_gradients(net, images, TARGETS)
    random = np.random.default_rng(0)
    areas = ours(net, images, TARGETS, maps, random).areas()
    metric = getattr(faithfulness, theirs)(
        net.model, images, ONE_HOT, steps=STEPS, baseline_mode=0.0, batch_size=16
    )
    assert areas.mean() == pytest.approx(float(metric(maps)), abs=2e-3)


def test_relevance_in_a_mask(net: ExplainedModel, images: np.ndarray) -> None:
    maps = integrated_gradients(net, images, TARGETS)
    masks = np.zeros(maps.shape, np.bool_)
    masks[:, 5:20, 8:30] = True
    options = {
        "abs": False, "normalise": False, "disable_warnings": True, "display_progressbar": False,
    }  # fmt: skip

    def theirs(name: str, shown: np.ndarray) -> list[float]:
        metric = getattr(quantus, name)(**options)
        found: list[float] = metric(
            model=net.model, x_batch=np.moveaxis(images, -1, 1), y_batch=TARGETS,
            a_batch=shown[:, None], s_batch=masks[:, None], channel_first=True,
        )  # fmt: skip
        return found

    # quantus adds up what is negative, too.
    mass = theirs("RelevanceMassAccuracy", np.maximum(maps, 0))
    np.testing.assert_allclose(relevance_mass(maps, masks), mass, rtol=1e-4)
    assert pointing_game(maps, masks).tolist() == theirs("PointingGame", maps)


def _each(images: np.ndarray) -> list[tuple[np.ndarray, int]]:
    return list(zip(images, TARGETS.tolist(), strict=True))


def _of_pair(
    net: ExplainedModel, method: Any, image: np.ndarray, target: int, **options: Any
) -> np.ndarray:
    """A map of `saliency`, which is given the gradients that it asks for."""
    import tensorflow as tf

    trunk, head = net.split(LAYER)

    def call(images: Any, call_model_args: Any = None, expected_keys: Any = None) -> Any:
        batch = tf.convert_to_tensor(images, tf.float32)
        with tf.GradientTape() as tape:
            if expected_keys == [pair.base.INPUT_OUTPUT_GRADIENTS]:
                tape.watch(batch)
                score = net.scores(batch)[:, target]
                return {expected_keys[0]: tape.gradient(score, batch).numpy()}
            features = trunk(batch)
            tape.watch(features)
            score = head(features)[:, target]
            return {
                pair.base.CONVOLUTION_LAYER_VALUES: features.numpy(),
                pair.base.CONVOLUTION_OUTPUT_GRADIENTS: tape.gradient(score, features).numpy(),
            }

    return np.asarray(method.GetMask(image, call, {}, **options))
