"""A pooling between the mean and the maximum, which learns where to stand."""

from typing import Any

import keras
from keras import layers, ops

from kagglecxr.core.errors import SettingError
from kagglecxr.models.model_card import Tensor


@keras.saving.register_keras_serializable(package="kagglecxr")
class GeneralizedMeanPooling2D(layers.Layer):  # type: ignore[misc]
    """Pools each channel to its generalised mean, (mean of x ** power) ** (1 / power).

    From Radenović, Tolias & Chum, Fine-tuning CNN Image Retrieval with No Human Annotation,
    TPAMI 2019, equation 3, with one exponent for all channels: at 1 the mean, towards infinity
    the maximum. Takes (batch, h, w, channels) and answers (batch, channels) in float32, under
    mixed precision too.

    Args:
        power: where the exponent starts; it is the layer's one weight.
        epsilon: what lower values are raised to first, as a power wants positive ones.
        **kwargs: name and dtype.

    Raises:
        SettingError: a power or an epsilon that is not above 0.
    """

    def __init__(self, power: float = 3.0, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        if power <= 0 or epsilon <= 0:
            raise SettingError(
                "A generalised mean wants an exponent and a least value above 0. Received: "
                f"power={power}, epsilon={epsilon}. Leave them out for 3 and 1e-6."
            )
        self.initial_power = power
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the exponent."""
        start = keras.initializers.Constant(self.initial_power)
        self.power = self.add_weight(shape=(), initializer=start, name="power")

    def call(self, features: Tensor) -> Tensor:
        """One value a channel."""
        features = ops.maximum(features, self.epsilon)
        # As shares of the largest value no power of them overflows. The mean is the same whatever
        # they are shares of, so that the divisor needs no gradient.
        largest = ops.stop_gradient(ops.max(features, axis=(1, 2), keepdims=True))
        mean = ops.mean(ops.power(features / largest, self.power), axis=(1, 2))
        return ops.squeeze(largest, axis=(1, 2)) * ops.power(mean, 1.0 / self.power)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Batch and channels."""
        return (input_shape[0], input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again."""
        return {
            **super().get_config(),
            "power": self.initial_power,
            "epsilon": self.epsilon,
        }
