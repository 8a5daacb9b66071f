"""Test-time augmentation: the views of an image that a model predicts from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import layers

from kagglecxr.core.registry import Registry
from kagglecxr.models.layers.outputs import HorizontalFlip

Pixels = npt.NDArray[np.uint8]
Maps = npt.NDArray[Any]


@dataclass(frozen=True)
class View:
    """A transformation of images that leaves their label as it is.

    Attributes:
        array: transforms images, (batch, H, W, C) uint8.
        layer: makes the layer that does the same inside a model.
        inverse: transforms maps of a view, (batch, H, W, ...), back to the image's own geometry.
    """

    array: Callable[[Pixels], Pixels]
    layer: Callable[[], layers.Layer]
    inverse: Callable[[Maps], Maps]


VIEWS = Registry[View]("view")

DEFAULT_VIEWS = ("identity", "hflip")


def _same(images: Maps) -> Maps:
    return images


def _flip_left_right(images: Maps) -> Maps:
    return images[:, :, ::-1]


VIEWS.add_as("identity")(View(_same, layers.Identity, _same))
# The heart changes sides, the disease stays the same.
VIEWS.add_as("hflip")(View(_flip_left_right, HorizontalFlip, _flip_left_right))
