"""Views of an image for test-time augmentation: what a model may look at instead of it."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from kagglecxr.core.registry import Registry

Pixels = npt.NDArray[np.uint8]
VIEWS = Registry[Callable[[Pixels], Pixels]]("view")

DEFAULT_VIEWS = ("identity", "hflip")


@VIEWS.add
def identity(images: Pixels) -> Pixels:
    """The images themselves, (batch, H, W, C)."""
    return images


@VIEWS.add
def hflip(images: Pixels) -> Pixels:
    """Left and right exchanged: a heart on the other side, the same disease."""
    return images[:, :, ::-1]
