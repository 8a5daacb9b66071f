"""Test-time augmentation: the views of an image that a model predicts from, and sets of them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import layers

from kagglecxr.core.registry import Registry, unknown_name_error
from kagglecxr.inference.predictions import PLAIN_VIEW
from kagglecxr.models.layers.affine import AffineView, AffineWindow
from kagglecxr.models.layers.outputs import HorizontalFlip

Pixels = npt.NDArray[np.uint8]
Maps = npt.NDArray[Any]


@dataclass(frozen=True)
class View:
    """A transformation of images that leaves their label as it is.

    Attributes:
        array: transforms images, (batch, H, W, C) uint8.
        layer: makes the layer that does the same inside a model.
        inverse: transforms maps of a view, (batch, H, W, ...), back to the image's own geometry; 0
            where the view shows nothing.
        inverse_layer: makes the layer that does the same inside a model; None where there is none.
    """

    array: Callable[[Pixels], Pixels]
    layer: Callable[[], layers.Layer]
    inverse: Callable[[Maps], Maps]
    inverse_layer: Callable[[], layers.Layer] | None = None


VIEWS = Registry[View]("view")
VIEW_SETS = Registry[tuple[str, ...]]("set of views")

HFLIP = "hflip"
DEFAULT_VIEWS = (PLAIN_VIEW, HFLIP)


def resolve_views(names: Sequence[str]) -> list[str]:
    """Returns the views of names, each once; a name may be that of a set.

    A name that a view and a set have in common is the view's.

    Raises:
        UnknownNameError: there is neither a view nor a set of that name.

    >>> resolve_views(["hflip"]), resolve_views(["hflip_zoom"])
    (['hflip'], ['identity', 'hflip', 'zoom', 'zoom_hflip'])
    """
    found: list[str] = []
    for name in names:
        if name not in VIEWS and name not in VIEW_SETS:
            raise unknown_name_error("view", name, {*VIEWS.names(), *VIEW_SETS.names()})
        found += [name] if name in VIEWS else VIEW_SETS[name]
    return list(dict.fromkeys(found))


def _same(images: Maps) -> Maps:
    return images


def _flip_left_right(images: Maps) -> Maps:
    return images[:, :, ::-1]


def _affine(window: AffineWindow) -> View:
    return View(window.sample, lambda: AffineView(**asdict(window)), window.restore)


ZOOM = 0.9
"""The share of each side that zoomed and cropped views show."""
ANGLE = 5.0
"""Degrees, about as far as radiographs are tilted."""
_TO_EDGE = (1 - ZOOM) / 2

VIEWS.add_as(PLAIN_VIEW)(View(_same, layers.Identity, _same, layers.Identity))
# The heart changes sides, the disease stays the same.
VIEWS.add_as(HFLIP)(View(_flip_left_right, HorizontalFlip, _flip_left_right, HorizontalFlip))
VIEWS.add_as("zoom")(_affine(AffineWindow(ZOOM)))
VIEWS.add_as("zoom_hflip")(_affine(AffineWindow(ZOOM, flip=True)))
VIEWS.add_as("rotate_left")(_affine(AffineWindow(degrees=ANGLE)))
VIEWS.add_as("rotate_right")(_affine(AffineWindow(degrees=-ANGLE)))
for _name, _y, _x in (
    ("top_left", -_TO_EDGE, -_TO_EDGE),
    ("top_right", -_TO_EDGE, _TO_EDGE),
    ("bottom_left", _TO_EDGE, -_TO_EDGE),
    ("bottom_right", _TO_EDGE, _TO_EDGE),
):
    VIEWS.add_as(f"crop_{_name}")(_affine(AffineWindow(ZOOM, shift=(_y, _x))))

VIEW_SETS.add_as("none")(("identity",))
VIEW_SETS.add_as("hflip")(("identity", "hflip"))
VIEW_SETS.add_as("hflip_zoom")(("identity", "hflip", "zoom", "zoom_hflip"))
VIEW_SETS.add_as("rotations")(("identity", "rotate_left", "rotate_right"))
# The crop of the centre is the zoom.
VIEW_SETS.add_as("five_crops")(("zoom", *VIEWS.names("crop_*")))
