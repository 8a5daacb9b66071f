"""The layer of an exported model that tells how unlike its training images an image is."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import KerasTensor, ops

from kagglecxr.models.layers.pixel_operations import PixelLayer, Shape


@keras.saving.register_keras_serializable(package="kagglecxr")
class MahalanobisDistance(PixelLayer):
    """Returns how far features (batch, channels) are from a Gaussian's mean, (batch,).

    The Gaussian has a variance of its own along some directions, and one in all others, as
    `kagglecxr.inference.novelty.FeatureGaussian`.

    Args:
        directions: their number.
    """

    arguments = ("directions",)

    def __init__(self, directions: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.directions = directions

    def build(self, input_shape: Shape) -> None:
        """Makes the weights, which nothing trains: `set_gaussian` sets them."""
        channels = input_shape[-1]
        self.mean = self._weight("mean", (channels,))
        self.axes = self._weight("axes", (channels, self.directions))
        self.deviations = self._weight("deviations", (self.directions,))
        self.rest = self._weight("rest", ())

    def _weight(self, name: str, shape: Shape) -> keras.Variable:
        return self.add_weight(name=name, shape=shape, initializer="ones", trainable=False)

    def set_gaussian(
        self,
        mean: npt.NDArray[np.floating],
        directions: npt.NDArray[np.floating],
        deviations: npt.NDArray[np.floating],
        rest: np.floating,
    ) -> None:
        """Sets the mean (channels,), the directions (directions, channels) and their deviations."""
        self.set_weights([mean, directions.T, deviations, np.asarray(rest)])

    def call(self, features: KerasTensor) -> KerasTensor:
        """Returns the distances (batch,)."""
        centred = ops.cast(features, "float32") - self.mean
        along = ops.matmul(centred, self.axes)
        # What is left is computed as a vector: in single precision a difference of squared lengths
        # would lose it.
        other = centred - ops.matmul(along, ops.transpose(self.axes))
        squared = ops.sum(ops.square(along / self.deviations), axis=-1)
        if self.directions < features.shape[-1]:
            squared = squared + ops.sum(ops.square(other / self.rest), axis=-1)
        return ops.sqrt(squared)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (batch,)."""
        return input_shape[:1]
