"""What stands on a net's last features."""

from keras import layers

from kagglecxr.core.errors import SettingError
from kagglecxr.models.card import Tensor

POOLINGS = {
    "average": layers.GlobalAveragePooling2D,
    "max": layers.GlobalMaxPooling2D,
}


def logits(x: Tensor, units: int) -> Tensor:
    """The last dense layer, in float32 also under mixed precision."""
    return layers.Dense(units, dtype="float32", name="logits")(x)


def answer(x: Tensor) -> Tensor:
    """Probabilities: one sigmoid unit, or a softmax over several."""
    activation = "sigmoid" if x.shape[-1] == 1 else "softmax"
    return layers.Activation(activation, dtype="float32", name="probabilities")(x)


def pooled_head(x: Tensor, units: int, *, pooling: str = "average", dropout: float = 0.2) -> Tensor:
    """Pools a backbone's features (h, w, channels) and ends in logits.

    Raises:
        SettingError: an unknown pooling.
    """
    if pooling not in POOLINGS:
        raise SettingError(
            f"There is no such pooling. Received: {pooling!r}. Use one of {', '.join(POOLINGS)}."
        )
    x = POOLINGS[pooling](name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return logits(x, units)
