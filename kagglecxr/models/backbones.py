"""Backbones of keras.applications, built flat on the raw input."""

import functools
from collections.abc import Callable

import keras
from keras import layers

from kagglecxr.models.card import MODELS, ModelCard, Tensor


def _three_channels(x: Tensor) -> Tensor:
    """ImageNet's nets want colour; X-ray files stay grey, so the repeat happens in the model."""
    return x if x.shape[-1] == 3 else layers.Concatenate(name="repeat")([x, x, x])


def _build(application: Callable[..., keras.Model], alpha: float, inputs: Tensor) -> Tensor:
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs)
    # ImageNet weights are loaded later, from a file: here Keras would want a square RGB input.
    return application(
        input_tensor=_three_channels(x), include_top=False, weights=None, alpha=alpha
    ).output


def _register(
    name: str, application: Callable[..., keras.Model], alpha: float, layer: str, weights_file: str
) -> None:
    card = ModelCard(
        name=name,
        build=functools.partial(_build, application, alpha),
        source=f"keras.applications.{application.__name__}, alpha {alpha}",
        input_size=224,
        explainable_layer=layer,
        weights_file=weights_file,
        download=functools.partial(
            application, include_top=False, alpha=alpha, input_shape=(224, 224, 3)
        ),
        is_backbone=True,
    )
    MODELS.add_as(name)(card)


for _alpha, _suffix, _file in (
    (1.0, "", "1_0"),
    (0.75, "_075", "7_5"),
    (0.5, "_050", "5_0"),
    (0.25, "_025", "2_5"),
):
    _register(
        f"mobilenet{_suffix}",
        keras.applications.MobileNet,
        _alpha,
        "conv_pw_13_relu",
        f"mobilenet_{_file}_224_tf_no_top.h5",
    )

for _alpha, _suffix in (
    (1.4, "_140"),
    (1.3, "_130"),
    (1.0, ""),
    (0.75, "_075"),
    (0.5, "_050"),
    (0.35, "_035"),
):
    _register(
        f"mobilenet_v2{_suffix}",
        keras.applications.MobileNetV2,
        _alpha,
        "out_relu",
        f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{_alpha}_224_no_top.h5",
    )
