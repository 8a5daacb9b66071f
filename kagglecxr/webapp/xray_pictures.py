"""Pictures of the page: an X-ray with its lungs outlined, under a map, and the map's scale."""

import cv2
import matplotlib as mpl
import numpy as np
import numpy.typing as npt

from kagglecxr.saliency.overlays import POSITIVE, SIGNED, outline, overlay
from kagglecxr.webapp.xray_models import XrayExplanation

Pixels = npt.NDArray[np.uint8]

SIDE = 512
"""The longest side of a picture: contours are fine and maps smooth on it."""
BAR = (12, 256)


def draw_xray(explained: XrayExplanation) -> Pixels:
    """Returns the image as the model sees it, with its lungs outlined, (H, W, 3)."""
    image = _enlarged(explained.image, cv2.INTER_CUBIC)
    coloured = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)
    return _outlined(coloured, explained.lungs)


def draw_overlay(explained: XrayExplanation, *, signed: bool) -> Pixels:
    """Returns the image under its map, with its lungs outlined, (H, W, 3)."""
    image = _enlarged(explained.image, cv2.INTER_CUBIC)
    height, width = image.shape[:2]
    one = cv2.resize(explained.map, (width, height), interpolation=cv2.INTER_LINEAR)
    return _outlined(overlay(image, np.asarray(one, np.float32), signed=signed), explained.lungs)


def draw_scale(*, signed: bool) -> Pixels:
    """Returns the colours of a map from its lowest to its highest value, as a bar (H, W, 3)."""
    colours = mpl.colormaps[SIGNED if signed else POSITIVE](np.linspace(0, 1, BAR[1]))[:, :3]
    return np.broadcast_to(np.uint8(255 * colours), (*BAR, 3)).copy()


def _enlarged(image: Pixels, interpolation: int) -> Pixels:
    factor = SIDE / max(image.shape[:2])
    size = round(image.shape[1] * factor), round(image.shape[0] * factor)
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)


def _outlined(image: Pixels, lungs: Pixels | None) -> Pixels:
    if lungs is None:
        return image
    height, width = image.shape[:2]
    size = (width, height)
    return outline(image, np.asarray(cv2.resize(lungs, size, interpolation=cv2.INTER_NEAREST)))
