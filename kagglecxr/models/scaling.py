"""What a net does with raw pixels 0..255 before its first convolution."""

from collections.abc import Callable

import keras
from keras import layers

from kagglecxr.core.registry import Registry
from kagglecxr.models.layers.pixel_operations import ImageNormalization
from kagglecxr.models.model_card import Tensor

SCALINGS = Registry[Callable[[Tensor], Tensor]]("scaling")

# Means and deviations of ImageNet's red, green and blue, as shares of white.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
# Means of its blue, green and red in grey levels: those of the Caffe weights.
_CAFFE_MEAN = (103.939, 116.779, 123.68)


def three_channels(x: Tensor) -> Tensor:
    """ImageNet's nets want colour; X-ray files stay grey, so the repeat happens in the model."""
    return x if x.shape[-1] == 3 else layers.Concatenate(name="repeat")([x, x, x])


@SCALINGS.add
def raw(x: Tensor) -> Tensor:
    """Grey levels as they are, for nets that scale inside."""
    return x


@SCALINGS.add
def zero_to_one(x: Tensor) -> Tensor:
    """Shares of white."""
    return layers.Rescaling(1 / 255, name="scale")(x)


@SCALINGS.add
def minus_one_to_one(x: Tensor) -> Tensor:
    """Black is -1, white is 1: the MobileNets, Inceptions, Xception, NASNets and ResNetV2."""
    return layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(x)


@SCALINGS.add
def imagenet(x: Tensor) -> Tensor:
    """In deviations from ImageNet's mean colour: the DenseNets."""
    mean = [255.0 * value for value in IMAGENET_MEAN]
    variance = [(255.0 * value) ** 2 for value in IMAGENET_DEVIATION]
    return layers.Normalization(mean=mean, variance=variance, name="scale")(three_channels(x))


@SCALINGS.add
def caffe(x: Tensor) -> Tensor:
    """Blue, green, red less their means, in grey levels: VGG and the first ResNets."""
    # Of a grey image all three are the same in any order.
    colours = keras.ops.flip(x, axis=-1) if x.shape[-1] == 3 else three_channels(x)
    return layers.Normalization(mean=list(_CAFFE_MEAN), variance=[1.0] * 3, name="scale")(colours)


@SCALINGS.add
def standardised(x: Tensor) -> Tensor:
    """Each image in deviations from its own mean: exposure says nothing of the disease."""
    return ImageNormalization(center=False, scale=False, name="standardise")(x)
