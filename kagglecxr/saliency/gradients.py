"""Maps from the gradient of a score with respect to the image.

Maps are signed, (N, H, W), summed over channels, in units of the logit: of `gradients` and
`smoothgrad` by grey value, of the others as they are.
"""

import keras
import numpy as np
from keras import layers

from kagglecxr.core.errors import SettingError
from kagglecxr.saliency.backend import Array, value_and_gradient
from kagglecxr.saliency.explained_model import (
    ExplainedModel,
    Targets,
    in_batches,
    over_channels,
    target_score,
)

STEPS = 32
"""Points on the way from black to the image."""
SAMPLES, NOISE = 25, 0.15


def image_gradients(model: keras.Model, images: Array, targets: Targets) -> Array:
    """Returns the gradient of each image's target score, (N, H, W, C)."""
    return np.concatenate(
        [
            value_and_gradient(target_score(model, wanted), batch)[1]
            for batch, wanted in in_batches(images, targets)
        ]
    )


def gradients(explained: ExplainedModel, images: Array, targets: Targets) -> Array:
    """The gradient itself (Simonyan et al. 2014, section 3.1), with its sign."""
    return over_channels(image_gradients(explained.scores, images, targets))


def gradient_input(explained: ExplainedModel, images: Array, targets: Targets) -> Array:
    """The gradient times the image (Shrikumar et al. 2016)."""
    return over_channels(images * image_gradients(explained.scores, images, targets))


def smoothgrad(
    explained: ExplainedModel,
    images: Array,
    targets: Targets,
    random: np.random.Generator,
    samples: int = SAMPLES,
    noise: float = NOISE,
) -> Array:
    """SmoothGrad (Smilkov et al. 2017): the mean gradient of noisy copies of the image.

    Args:
        explained: the classifier.
        images: (N, H, W, C), 0..255.
        targets: (N,) the class that each map is for.
        random: draws the noise.
        samples: copies of an image.
        noise: the standard deviation of the noise, as a share of the image's range of values.
    """
    spread = noise * np.ptp(images, axis=(1, 2, 3), keepdims=True)
    total = np.zeros(images.shape, np.float64)
    for _ in range(samples):
        drawn = random.standard_normal(images.shape, np.float32) * spread
        total += image_gradients(explained.scores, images + drawn.astype(np.float32), targets)
    return over_channels((total / samples).astype(np.float32))


def integrated_gradients(explained: ExplainedModel, images: Array, targets: Targets) -> Array:
    """Integrated gradients (Sundararajan et al. 2017, equation 1) from a black image.

    The integral is taken by Gauss and Legendre's points, so that its sum nears the difference of
    both scores (the paper's completeness) with few of them.

    Args:
        explained: the classifier.
        images: (N, H, W, C), 0..255.
        targets: (N,) the class that each map is for.
    """
    points, weights = np.polynomial.legendre.leggauss(STEPS)
    total = np.zeros(images.shape, np.float64)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        at = np.asarray(point * images, np.float32)
        total += weight * image_gradients(explained.scores, at, targets)
    return over_channels(np.asarray(images * total, np.float32))


def guided_backpropagation(explained: ExplainedModel, images: Array, targets: Targets) -> Array:
    """Guided back-propagation (Springenberg et al. 2015): no negative gradient passes a ReLU.

    It shows edges that any class might use, since it ignores what later layers make of them (Sixt
    et al. 2020): a picture for the eye, and no evidence.

    Raises:
        SettingError: the network has no ReLU.
    """
    return over_channels(image_gradients(guided_model(explained.scores), images, targets))


def guided_model(model: keras.Model) -> keras.Model:
    """Returns a copy of a model whose ReLUs let positive gradients pass alone.

    Raises:
        SettingError: the model has no ReLU.
    """
    replaced = []

    def guided(layer: layers.Layer) -> layers.Layer:
        limit = relu_limit(layer)
        if limit is None:
            return layer.__class__.from_config(layer.get_config())
        replaced.append(layer.name)
        if isinstance(layer, (layers.ReLU, layers.Activation)):
            return layers.Activation(_guided_relu(limit), name=layer.name)
        copy = layer.__class__.from_config(layer.get_config())
        copy.activation = _guided_relu(limit)
        return copy

    copied = keras.models.clone_model(model, clone_function=guided)
    if not replaced:
        raise SettingError(
            f"Guided back-propagation is of networks with ReLUs. Received: {model.name}, which has "
            "none. Use gradcam, integrated_gradients or occlusion."
        )
    copied.set_weights(model.get_weights())
    return copied


def relu_limit(layer: layers.Layer) -> float | None:
    """Returns the highest value of a layer's ReLU, infinity for a plain one; None without one."""
    if isinstance(layer, layers.ReLU):
        plain = not layer.negative_slope and not layer.threshold
        return (layer.max_value or np.inf) if plain else None
    activation = getattr(layer, "activation", None)
    limits = {keras.activations.relu: np.inf, keras.activations.relu6: 6.0}
    return limits.get(activation)


def _guided_relu(limit: float):  # type: ignore[no-untyped-def]
    @keras.ops.custom_gradient
    def guided_relu(x):  # type: ignore[no-untyped-def]
        passes = keras.ops.cast((x > 0) & (x < limit), x.dtype)

        def gradient(*arguments, upstream=None):  # type: ignore[no-untyped-def]
            # On PyTorch it is named, after the function's own arguments; elsewhere it is alone.
            if upstream is None:
                (upstream,) = arguments
            return keras.ops.maximum(upstream, 0) * passes

        return keras.ops.clip(x, 0, limit), gradient

    return guided_relu
