"""Draws a map on its image, and the lungs' contour on both."""

import cv2
import matplotlib as mpl
import numpy as np
import numpy.typing as npt

from kagglecxr.saliency.backend import Array

Pixels = npt.NDArray[np.uint8]

POSITIVE, SIGNED = "inferno", "RdBu_r"
"""Colour maps of maps without and with a sign."""
STRONGEST = 0.75
"""How much the strongest colour covers of the image."""
LONGEST_TAIL = 0.995
"""The share of pixels that are not brighter than the end of the scale."""
SMOOTH = 0.01
"""The standard deviation that signed maps are smoothed by for the eye, as a share of the side."""
CONTOUR = (64, 224, 160)


def scaled(one: Array) -> Array:
    """Returns a map (H, W) divided by its largest value but for outliers, within -1..1.

    A map of zeros stays one: no pixel matters, and none is drawn as if it did.
    """
    size = np.abs(one)
    high = float(np.quantile(size, LONGEST_TAIL)) or float(size.max())
    return np.asarray(np.clip(one / high, -1, 1) if high else np.zeros_like(one), np.float32)


def overlay(image: Pixels, one: Array, *, signed: bool) -> Pixels:
    """Colours an image by a map: the more, the more a pixel matters.

    Args:
        image: (H, W) or (H, W, 3).
        one: the map (H, W), as it is measured.
        signed: whether it has a sign: red speaks for the class then, and blue against it. Such a
            map is smoothed.

    Returns:
        (H, W, 3).
    """
    # By pixel, maps of gradients are salt and pepper, of which the eye sees neither.
    sigma = SMOOTH * max(one.shape)
    value = scaled(np.asarray(cv2.GaussianBlur(one, (0, 0), sigma), np.float32) if signed else one)
    colours = mpl.colormaps[SIGNED if signed else POSITIVE]
    coloured = colours((value + 1) / 2 if signed else value)[..., :3] * 255
    grey = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)
    opacity = STRONGEST * np.abs(value)[..., None]
    return np.asarray((1 - opacity) * grey + opacity * coloured, np.uint8)


def outline(image: Pixels, mask: Pixels) -> Pixels:
    """Returns an image (H, W, 3) with the contour of a mask (H, W)."""
    drawn = np.ascontiguousarray(image).copy()
    found, _ = cv2.findContours((mask > 0).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, found, -1, CONTOUR, max(1, image.shape[0] // 200))
    return np.asarray(drawn, np.uint8)
