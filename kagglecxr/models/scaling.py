"""Scaling of raw pixels 0..255 before the first convolution of a model."""

from collections.abc import Callable

import keras
from keras import KerasTensor, layers

from kagglecxr.core.registry import Registry
from kagglecxr.models.layers.pixel_operations import ImageNormalization

SCALINGS = Registry[Callable[[KerasTensor], KerasTensor]]("scaling")

# Means and standard deviations of ImageNet's red, green and blue, as shares of white.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
# Means of blue, green and red in gray levels, as of the Caffe weights.
_CAFFE_MEAN = (103.939, 116.779, 123.68)


def three_channels(x: KerasTensor) -> KerasTensor:
    """Repeats a gray channel three times, since ImageNet's backbones take RGB."""
    return x if x.shape[-1] == 3 else layers.Concatenate(name="repeat")([x, x, x])


@SCALINGS.add
def raw(x: KerasTensor) -> KerasTensor:
    """No scaling, for models that scale inside."""
    return x


@SCALINGS.add
def zero_to_one(x: KerasTensor) -> KerasTensor:
    """Scales to 0..1."""
    return layers.Rescaling(1 / 255, name="scale")(x)


@SCALINGS.add
def minus_one_to_one(x: KerasTensor) -> KerasTensor:
    """Scales to -1..1: the MobileNets, Inceptions, Xception, NASNets and ResNetV2."""
    return layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(x)


@SCALINGS.add
def imagenet(x: KerasTensor) -> KerasTensor:
    """Standardises by ImageNet's mean and standard deviation: the DenseNets."""
    mean = [255.0 * value for value in IMAGENET_MEAN]
    variance = [(255.0 * value) ** 2 for value in IMAGENET_DEVIATION]
    return layers.Normalization(mean=mean, variance=variance, name="scale")(three_channels(x))


@SCALINGS.add
def caffe(x: KerasTensor) -> KerasTensor:
    """Subtracts the means of blue, green and red: VGG and the first ResNets."""
    # The three channels of a gray image are equal, in any order.
    colours = keras.ops.flip(x, axis=-1) if x.shape[-1] == 3 else three_channels(x)
    return layers.Normalization(mean=list(_CAFFE_MEAN), variance=[1.0] * 3, name="scale")(colours)


@SCALINGS.add
def standardised(x: KerasTensor) -> KerasTensor:
    """Standardises each image by its own statistics, since exposure says nothing of disease."""
    return ImageNormalization(center=False, scale=False, name="standardise")(x)
