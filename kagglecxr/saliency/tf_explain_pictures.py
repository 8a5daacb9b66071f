"""The pictures of tf-explain 0.3.1, which report 1 asks for by name.

They are pictures alone: shades are scaled image by image, gradients lose their sign, integrated
gradients are not multiplied by the image, and Grad-CAM leaves negative gradients out. What is
measured is measured on the maps of `kagglecxr.saliency.methods`.
"""

import contextlib
import io
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from kagglecxr.core.errors import SettingError
from kagglecxr.models.model_card import MODELS

Pixels = npt.NDArray[np.uint8]
Draw = Callable[[keras.Model, Pixels, int, str], Any]
"""From a classifier, an image (H, W, C), a class and a layer to a picture."""

PATCHES = 12
"""Occluded patches along a side."""
STEPS, SAMPLES, NOISE = 20, 20, 0.15


def _explainer(name: str) -> Any:
    """A class of tf-explain, which cannot be imported where TensorFlow is not installed."""
    import tf_explain

    return getattr(tf_explain.core, name)


def _grad_cam(model: keras.Model, image: Pixels, target: int, layer: str) -> Any:
    grad_cam = _explainer("GradCAM")
    # Its own `explain` lays the map on the image, which has to have three channels for that.
    features, gradients = grad_cam.get_gradients_and_filters(
        model, image[None], layer, target, use_guided_grads=True
    )
    [found] = grad_cam.generate_ponderated_output(features, gradients)
    return _heatmap(found.numpy(), image)


def _occlusion(model: keras.Model, image: Pixels, target: int, layer: str) -> Any:
    patch = max(1, round(image.shape[0] / PATCHES))
    found = _explainer("OcclusionSensitivity")(batch_size=32).get_sensitivity_map(
        model, image.astype(np.float32), target, patch
    )
    return _heatmap(found, image)


def _score_gradients(name: str) -> Draw:
    def draw(model: keras.Model, image: Pixels, target: int, layer: str) -> Any:
        explainer = _explainer(name)()
        scores = explainer.get_score_model(model)
        return explainer.explain_score_model(_shares(image), _of_shares(scores), target)

    return draw


def _gradients(name: str, **options: Any) -> Draw:
    def draw(model: keras.Model, image: Pixels, target: int, layer: str) -> Any:
        return _explainer(name)().explain(_shares(image), _of_shares(model), target, **options)

    return draw


def _shares(image: Pixels) -> tuple[Any, None]:
    """An image from 0 to 1: gradients by grey value are too small for the library's scale."""
    return image[None].astype(np.float32) / 255, None


def _of_shares(model: keras.Model) -> keras.Model:
    shares = keras.Input(model.input_shape[1:])
    return keras.Model(shares, model(layers.Rescaling(255)(shares)))


PICTURES: Mapping[str, Draw] = {
    "GradCAM": _grad_cam,
    "OcclusionSensitivity": _occlusion,
    "VanillaGradients": _score_gradients("VanillaGradients"),
    "GradientsInputs": _score_gradients("GradientsInputs"),
    "SmoothGrad": _gradients("SmoothGrad", num_samples=SAMPLES, noise=NOISE),
    "IntegratedGradients": _gradients("IntegratedGradients", n_steps=STEPS),
}
"""By tf-explain's own names; its ExtractActivations are the feature maps of `explain --layers`."""


def tf_explain_picture(name: str, model: keras.Model, image: Pixels, target: int) -> Pixels:
    """Draws one picture as tf-explain does.

    Args:
        name: one of `PICTURES`.
        model: a flat classifier of the zoo with a softmax.
        image: (H, W, C) as the model takes it.
        target: the number of the class.

    Returns:
        (H, W) or (H, W, 3).

    Raises:
        SettingError: Keras runs on another backend than TensorFlow, or the model has one output.
    """
    if keras.config.backend() != "tensorflow":
        raise SettingError(
            f"tf-explain needs TensorFlow. Received: KERAS_BACKEND={keras.config.backend()}. "
            "Leave it out, or leave out --style."
        )
    if model.output_shape[-1] == 1:
        raise SettingError(
            f"tf-explain explains one output for each class. Received: {model.name} with one in "
            "all. Leave out --style."
        )
    layer = MODELS[model.name].gradcam_layer
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        # It gives Keras inputs in a list of a list, and divides by the range of maps without any.
        warnings.filterwarnings("ignore", message="The structure of `inputs`")
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(PICTURES[name](model, image, target, layer), np.uint8)


def _heatmap(found: Any, image: Pixels) -> Any:
    from tf_explain.utils.display import heatmap_display

    return heatmap_display(found, np.repeat(image, 3, axis=-1)[..., :3])
