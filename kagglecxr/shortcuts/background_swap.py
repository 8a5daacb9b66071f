"""Does the answer follow the lungs or the background? Lungs are put into other images.

The measure is the background gap of Xiao et al. 2020, "Noise or signal: the role of image
backgrounds in object recognition" (arXiv:2006.09994, section 3): accuracy where the background is
of another image of the same class, less that where it is of another class. Both are of composed
images, so that the seams cost both the same.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.shortcuts.regions import Masks, Pixels, with_margin

AROUND, STRONGEST = 0.12, 3.0
"""How far the ring around the lungs reaches, of the side, and the largest power of an exposure."""
SEAM = 0.015
"""The standard deviation over which lungs fade into their new surroundings, of the side."""


@dataclass(frozen=True)
class Swaps:
    """Which lungs are put into which images.

    Attributes:
        lungs: (swaps,) the number of the image whose lungs are seen.
        background: (swaps,) that of the image that they are put into.
    """

    lungs: npt.NDArray[np.intp]
    background: npt.NDArray[np.intp]


def draw_swaps(
    classes: npt.NDArray[np.intp],
    groups: npt.NDArray[np.object_],
    usable: npt.NDArray[np.bool_],
    rounds: int,
    random: np.random.Generator,
) -> Swaps:
    """Draws for the lungs of each image backgrounds of each class, of another patient.

    Args:
        classes: (N,).
        groups: (N,) the patients.
        usable: (N,) the images that give lungs and take some: those of a fold.
        rounds: how many backgrounds of each class are drawn for each.
        random: draws the backgrounds.

    Returns:
        Those of all usable images for which there is a background of each class, in turn.
    """
    lungs, backgrounds = [], []
    present = np.unique(classes[usable])
    # By turns, so that no background counts much more often than another.
    pools = {one: random.permutation(np.flatnonzero(usable & (classes == one))) for one in present}
    for number in np.tile(random.permutation(np.flatnonzero(usable)), rounds):
        found = [_next_of_another(pools[one], groups, groups[number]) for one in present]
        if None not in found:
            lungs += [number] * len(present)
            backgrounds += found
    return Swaps(np.array(lungs, np.intp), np.array(backgrounds, np.intp))


def _next_of_another(
    pool: npt.NDArray[np.intp], groups: npt.NDArray[np.object_], group: object
) -> int | None:
    """The first image of a pool that is of another patient, which goes to the pool's end."""
    others = np.flatnonzero(groups[pool] != group)
    if not len(others):
        return None
    chosen = int(pool[others[0]])
    pool[others[0] : -1] = pool[others[0] + 1 :]
    pool[-1] = chosen
    return chosen


def swap_background(
    image: Pixels, lungs: npt.NDArray[np.bool_], other: Pixels, other_lungs: npt.NDArray[np.bool_]
) -> Pixels:
    """Puts the lungs of an image to where those of another image are.

    They are stretched to the other's box, and the margin around either mask comes with them. They
    get the other's exposure, as what is around both lungs tells it: an X-ray has one alone, which
    is one of the things that give a hospital away.

    Args:
        image: (H, W, C) uint8, whose lungs are seen.
        lungs: (H, W), not empty.
        other: (H, W, C) uint8, whose background is seen.
        other_lungs: (H, W), not empty.
    """
    matrix = _box_to_box(lungs, other_lungs)
    size = (other.shape[1], other.shape[0])
    exposed = _exposed_as(image, lungs, other, other_lungs)
    moved = cv2.warpAffine(exposed, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    moved_lungs = cv2.warpAffine(lungs.astype(np.uint8), matrix, size) > 0
    inside = with_margin(np.stack([moved_lungs | other_lungs]))[0]
    weight = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), SEAM * max(size))[..., None]
    both = weight * moved.reshape(other.shape) + (1 - weight) * other
    return np.asarray(np.rint(both), np.uint8)


def swapped_images(images: Pixels, lungs: Masks, swaps: Swaps) -> Pixels:
    """Returns the composed images (swaps, H, W, C)."""
    pairs = zip(swaps.lungs, swaps.background, strict=True)
    return np.stack([swap_background(images[a], lungs[a], images[b], lungs[b]) for a, b in pairs])


def _exposed_as(
    image: Pixels, lungs: npt.NDArray[np.bool_], other: Pixels, other_lungs: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """The image with the median around its lungs as around those of the other.

    Grey values are raised to a power, by which none becomes black or white. A median does not mind
    a black border beside the lungs.
    """
    here, there = _around(image, lungs), _around(other, other_lungs)
    power = np.clip(np.log(there) / np.log(here), 1 / STRONGEST, STRONGEST)
    return np.asarray(255 * (image / 255) ** power, np.float32)


def _around(image: Pixels, lungs: npt.NDArray[np.bool_]) -> float:
    """The median grey in a ring around the lungs, of all if there is none, within 0.02..0.98."""
    ring = with_margin(lungs[None], AROUND)[0] & ~with_margin(lungs[None])[0]
    return float(np.clip(np.median(image[ring] if ring.any() else image) / 255, 0.02, 0.98))


def _box_to_box(
    lungs: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """The matrix (2, 3) that stretches the box of some lungs to that of others."""
    (x, y, w, h), (u, v, p, q) = (cv2.boundingRect(one.astype(np.uint8)) for one in (lungs, other))
    across, down = p / w, q / h
    return np.array([[across, 0, u - across * x], [0, down, v - down * y]])
