"""What a network has learned to look for: its filters, and its feature maps of an image."""

import keras
import numpy as np
from keras import layers

from kagglecxr.core.errors import SettingError
from kagglecxr.core.registry import unknown_name_error
from kagglecxr.saliency.backend import Array

_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)


def convolution_names(model: keras.Model) -> list[str]:
    """Returns the names of a model's convolutions, the first one first."""
    return [layer.name for layer in model.layers if isinstance(layer, _CONVOLUTIONS)]


def filters_of(model: keras.Model, name: str) -> Array:
    """Returns the filters of a convolution, (filters, height, width).

    A filter of several input channels is their mean, but for one of a colour image, which has its
    three channels last: (filters, height, width, 3).

    Raises:
        UnknownNameError: there is no such layer.
        SettingError: it has no filters of more than one pixel.
    """
    layer = _find(model, name)
    kernel = layer.get_weights()[0] if isinstance(layer, _CONVOLUTIONS) else np.zeros((1, 1, 1, 1))
    if kernel.shape[:2] == (1, 1):
        raise SettingError(
            f"A layer has no filters to look at. Received: {name} of {model.name}. Name a "
            f"convolution of more than one pixel, such as {convolution_names(model)[0]}."
        )
    if isinstance(layer, layers.DepthwiseConv2D):
        return np.asarray(kernel.reshape(*kernel.shape[:2], -1).transpose(2, 0, 1))
    if kernel.shape[2] == 3:
        return np.asarray(kernel.transpose(3, 0, 1, 2))
    return np.asarray(kernel.mean(axis=2).transpose(2, 0, 1))


def feature_maps_of(model: keras.Model, name: str, image: Array) -> Array:
    """Returns the feature maps (channels, h, w) of one image (H, W, C) behind a layer.

    Raises:
        UnknownNameError: there is no such layer.
        SettingError: its output has no height and width.
    """
    output = _find(model, name).output
    if len(output.shape) != 4:
        raise SettingError(
            f"A layer's output is no feature map. Received: {name} of {model.name}, of shape "
            f"{tuple(output.shape[1:])}. Name a convolution, such as "
            f"{convolution_names(model)[-1]}."
        )
    part = keras.Model(model.input, output)
    features = keras.ops.convert_to_numpy(part(image[None], training=False))[0]
    return np.asarray(features.transpose(2, 0, 1), np.float32)


def _find(model: keras.Model, name: str) -> layers.Layer:
    names = [layer.name for layer in model.layers]
    if name not in names:
        raise unknown_name_error(f"layer of {model.name}", name, names)
    return model.get_layer(name)
