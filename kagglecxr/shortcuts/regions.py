"""Parts of an X-ray: the lungs, what is around them, and the picture's edge with its lettering."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Masks = npt.NDArray[np.bool_]
"""(N, H, W), true in the lungs."""

MARGIN = 0.04
"""How far the lungs reach beyond their mask, as a share of the side: disease blurs, masks err."""
FRAME = 0.06
"""How far beyond the lungs' box an image is kept where its edge is removed."""
STROKE = 0.05
"""Lines of lettering are thinner, as a share of the side."""
BRIGHTER = 25
"""Lettering is so many grey values brighter than what is around it."""

WHOLE, LUNGS, BACKGROUND, NO_EDGE, SHAPE = (
    "whole image", "lungs only", "background only", "no edge, no text", "lungs' shape only",
)  # fmt: skip


def with_margin(lungs: Masks, margin: float = MARGIN) -> Masks:
    """Returns masks (N, H, W) that reach a share of the side further."""
    reach = max(1, round(margin * lungs.shape[1]))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    grown = [cv2.dilate(one.astype(np.uint8), disc) > 0 for one in lungs]
    return np.stack(grown) if grown else lungs


def lungs_only(images: Pixels, lungs: Masks) -> Pixels:
    """Blackens all but the lungs, which have a margin here."""
    return _kept(images, with_margin(lungs))


def background_only(images: Pixels, lungs: Masks) -> Pixels:
    """Blackens the lungs and the margin around them."""
    return _kept(images, ~with_margin(lungs))


def lung_shapes(images: Pixels, lungs: Masks) -> Pixels:
    """Shows where the lungs are in white on black: what the cut-out itself tells of a class."""
    white = np.full_like(images, 255)
    return _kept(white, with_margin(lungs))


def without_edge(images: Pixels, lungs: Masks) -> Pixels:
    """Blackens what is far outside of the lungs' box, and paints over lettering near to them.

    Lettering is what is much brighter than its surroundings, thin, and not in the lungs: a white
    top-hat (Serra 1982) finds it.
    """
    return np.stack([_one_without_edge(*each) for each in zip(images, lungs, strict=True)])


VARIANTS: Mapping[str, Callable[[Pixels, Masks], Pixels]] = {
    WHOLE: lambda images, lungs: images,
    LUNGS: lungs_only,
    BACKGROUND: background_only,
    NO_EDGE: without_edge,
    SHAPE: lung_shapes,
}
"""What may be left of images (N, H, W, C), by a name."""


def _kept(images: Pixels, kept: Masks) -> Pixels:
    return np.where(kept[..., None], images, np.uint8(0))


def _one_without_edge(image: Pixels, lungs: npt.NDArray[np.bool_]) -> Pixels:
    side = max(lungs.shape)
    stroke = max(3, round(STROKE * side))
    grey = image.mean(axis=-1).astype(np.uint8)
    hat = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((stroke, stroke), np.uint8))
    # Strokes are soft at their edge.
    text = cv2.dilate((hat > BRIGHTER).astype(np.uint8), np.ones((3, 3), np.uint8))
    outside = np.where(lungs, np.uint8(0), np.asarray(text, np.uint8))
    painted = [
        cv2.inpaint(np.ascontiguousarray(channel), outside, 3, cv2.INPAINT_TELEA)
        for channel in np.moveaxis(image, -1, 0)
    ]
    left, top, width, height = cv2.boundingRect(lungs.astype(np.uint8))
    reach = round(FRAME * side)
    rows = slice(max(0, top - reach), top + height + reach)
    columns = slice(max(0, left - reach), left + width + reach)
    kept = np.zeros_like(image)
    kept[rows, columns] = np.stack(painted, axis=-1)[rows, columns]
    return kept
