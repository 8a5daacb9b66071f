"""Generalised-mean pooling, between the mean and the maximum."""

from typing import Any

import keras
from keras import KerasTensor, layers, ops

from kagglecxr.core.errors import SettingError


@keras.saving.register_keras_serializable(package="kagglecxr")
class GeneralizedMeanPooling2D(layers.Layer):  # type: ignore[misc]
    """Pools each channel to its generalised mean, (mean of x ** power) ** (1 / power).

    From Radenović, Tolias & Chum, Fine-tuning CNN Image Retrieval with No Human Annotation,
    TPAMI 2019, equation 3, with one exponent for all channels: 1 gives the mean, infinity the
    maximum. Takes (batch, h, w, channels) and returns (batch, channels) in float32, under mixed
    precision too.

    Args:
        power: initial value of the exponent, the layer's only weight.
        epsilon: lower bound that values are clipped to, since powers need positive values.

    Raises:
        SettingError: power or epsilon is not positive.
    """

    def __init__(self, power: float = 3.0, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        if power <= 0 or epsilon <= 0:
            raise SettingError(
                "A generalised mean needs a positive power and epsilon. Received: "
                f"power={power}, epsilon={epsilon}. Leave them out for 3 and 1e-6."
            )
        self.initial_power = power
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the exponent."""
        start = keras.initializers.Constant(self.initial_power)
        self.power = self.add_weight(shape=(), initializer=start, name="power")

    def call(self, features: KerasTensor) -> KerasTensor:
        """Returns one value per channel."""
        features = ops.maximum(features, self.epsilon)
        # Divided by the largest value, powers cannot overflow. The result does not depend on the
        # divisor, which therefore needs no gradient.
        largest = ops.stop_gradient(ops.max(features, axis=(1, 2), keepdims=True))
        mean = ops.mean(ops.power(features / largest, self.power), axis=(1, 2))
        return ops.squeeze(largest, axis=(1, 2)) * ops.power(mean, 1.0 / self.power)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns (batch, channels)."""
        return (input_shape[0], input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "power": self.initial_power,
            "epsilon": self.epsilon,
        }
