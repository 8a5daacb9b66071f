"""The weighted layers of a network as plain affine maps, with the batch norms folded in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from kagglecxr.saliency.backend import Array

WEIGHTED = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Dense)


@dataclass(frozen=True)
class Affine:
    """A map x -> apply(x, kernel) + bias.

    Attributes:
        apply: linear in the tensor (batch, ...) and in the kernel.
        kernel: its last axis, or the last two of a depthwise convolution, are the outputs.
        bias: (outputs,).
    """

    apply: Callable[[Any, Any], Any]
    kernel: Array
    bias: Array

    def folded(self, norm: layers.BatchNormalization) -> "Affine":
        """Returns this map with a batch normalisation behind it as one map."""
        factor, shift = scale_and_shift(norm)
        outputs = self.kernel.shape[-1]
        # A depthwise kernel has the outputs of each input channel apart.
        shape = factor.shape if outputs == len(factor) else self.kernel.shape[-2:]
        kernel = self.kernel * factor.reshape(shape)
        return Affine(self.apply, kernel, self.bias * factor + shift)


def scale_and_shift(norm: layers.BatchNormalization) -> tuple[Array, Array]:
    """Returns what a batch normalisation multiplies with and adds, (channels,) each."""
    mean, variance = (ops.convert_to_numpy(v) for v in (norm.moving_mean, norm.moving_variance))
    gamma = ops.convert_to_numpy(norm.gamma) if norm.scale else np.ones_like(mean)
    beta = ops.convert_to_numpy(norm.beta) if norm.center else np.zeros_like(mean)
    factor = gamma / np.sqrt(variance + norm.epsilon)
    return factor, beta - factor * mean


def affine_parts(layer: layers.Layer) -> list[Affine]:
    """Returns a weighted layer without its activation, as one map or two in turn."""
    if isinstance(layer, layers.Dense):
        return [_part(ops.matmul, layer.kernel, layer)]
    options = {
        "strides": layer.strides,
        "padding": layer.padding,
        "dilation_rate": layer.dilation_rate,
    }

    def depthwise(x: Any, kernel: Any) -> Any:
        return ops.depthwise_conv(x, kernel, **options)

    def plain(x: Any, kernel: Any) -> Any:
        return ops.conv(x, kernel, **options)

    def pointwise(x: Any, kernel: Any) -> Any:
        return ops.conv(x, kernel)

    if isinstance(layer, layers.SeparableConv2D):
        return [
            _part(depthwise, layer.depthwise_kernel, None),
            _part(pointwise, layer.pointwise_kernel, layer),
        ]
    if isinstance(layer, layers.DepthwiseConv2D):
        return [_part(depthwise, layer.kernel, layer)]
    return [_part(plain, layer.kernel, layer)]


def _part(
    apply: Callable[[Any, Any], Any], kernel: keras.Variable, layer: layers.Layer | None
) -> Affine:
    array = ops.convert_to_numpy(kernel)
    if layer is not None and layer.use_bias:
        return Affine(apply, array, ops.convert_to_numpy(layer.bias))
    outputs = array.shape[-1]
    if apply.__name__ == "depthwise":
        outputs *= array.shape[-2]
    return Affine(apply, array, np.zeros(outputs, np.float32))
