"""Class activation maps: where the features of a layer speak for a class.

Maps are (N, H, W) of the images' size, at least 0, not scaled: a map of zeros says that no feature
of the layer speaks for the class.
"""

from collections.abc import Callable

import cv2
import keras
import numpy as np

from kagglecxr.saliency.backend import Array, value_and_gradient
from kagglecxr.saliency.explained_model import ExplainedModel, Targets, in_batches, target_score

Weigh = Callable[[Array, Array], Array]
"""From features and gradients of scores, (N, h, w, K), to the channels' weights (N, 1, 1, K)."""


def gradcam(explained: ExplainedModel, images: Array, targets: Targets, layer: str = "") -> Array:
    """Grad-CAM (Selvaraju et al. 2017, equations 1 and 2): channels weighted by mean gradients.

    Args:
        explained: the classifier.
        images: (N, H, W, C), 0..255.
        targets: (N,) the class that each map is for.
        layer: the layer of the features; defaults to the last with a height and a width.

    Raises:
        UnknownNameError, SettingError: no such layer, or one that does not part the network.
    """
    return _activation_maps(explained, images, targets, layer, _by_mean_gradient)


def gradcam_plus_plus(
    explained: ExplainedModel, images: Array, targets: Targets, layer: str = ""
) -> Array:
    """Grad-CAM++ (Chattopadhay et al. 2018, equations 10 and 19), arguments as `gradcam`.

    Of the exponential of the score, as in the paper: the higher derivatives are then powers of the
    first, in a network that is piecewise linear behind the layer.
    """
    return _activation_maps(explained, images, targets, layer, _by_alphas)


def gradcam_second_order(
    explained: ExplainedModel, images: Array, targets: Targets, layer: str = ""
) -> Array:
    """Report 3's: channels weighted by second derivatives, clipped to 0..1; as `gradcam`.

    The report gives no equation. Here the second derivative is that of the score's exponential, up
    to a factor the square of the gradient, and each map is divided by its 99th percentile, so that
    its brightest hundredth is what is clipped.
    """
    maps = _activation_maps(explained, images, targets, layer, _by_squared_gradient)
    high = np.quantile(maps, 0.99, axis=(1, 2), keepdims=True)
    return np.asarray(np.clip(maps / np.where(high > 0, high, 1), 0, 1), np.float32)


def _by_mean_gradient(features: Array, gradients: Array) -> Array:
    return np.asarray(gradients.mean(axis=(1, 2), keepdims=True))


def _by_squared_gradient(features: Array, gradients: Array) -> Array:
    return np.asarray((gradients**2).mean(axis=(1, 2), keepdims=True))


def _by_alphas(features: Array, gradients: Array) -> Array:
    weights = alphas(features, gradients) * np.maximum(gradients, 0)
    return np.asarray(weights.sum(axis=(1, 2), keepdims=True))


def alphas(features: Array, gradients: Array) -> Array:
    """The weights of pixels in Grad-CAM++, equation 19; 0 where the gradient is 0."""
    second, third = gradients**2, gradients**3
    below = 2 * second + features.sum(axis=(1, 2), keepdims=True) * third
    safe = np.where(below != 0, below, 1)
    return np.asarray(np.where(below != 0, second / safe, 0), np.float32)


def _activation_maps(
    explained: ExplainedModel, images: Array, targets: Targets, layer: str, weigh: Weigh
) -> Array:
    trunk, head = explained.split(layer or explained.gradcam_layer)
    size = (images.shape[2], images.shape[1])
    maps = []
    for batch, wanted in in_batches(images, targets):
        features = keras.ops.convert_to_numpy(trunk(batch, training=False)).astype(np.float32)
        _, gradients = value_and_gradient(target_score(head, wanted), features)
        summed = (weigh(features, gradients) * features).sum(axis=-1)
        maps += [cv2.resize(np.maximum(one, 0), size) for one in summed]
    return np.stack(maps)
