"""Changes a training image in ways that leave its diagnosis: on uint8, in the data path."""

import functools
from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import field_validator

from kagglecxr.core.augmentation_settings import CUTOUT_GREY, AugmentationSettings
from kagglecxr.core.errors import DataError
from kagglecxr.core.registry import Registry, unknown_name_error
from kagglecxr.data.sequences.mixup import OneHot, Pixels, mix

Matrix = npt.NDArray[np.float64]
CustomAugmentation = Callable[[Pixels, float, np.random.Generator], Pixels]
CUSTOM_AUGMENTATIONS = Registry[CustomAugmentation]("augmentation")
"""Further augmentations, for `[augmentation.custom]` of a recipe.

Each maps an image (H, W, C) uint8, its strength in the recipe and a generator to an image of the
same shape.
"""


class Augmentation(AugmentationSettings):
    """The settings as a transform of a `BalancedSequence`: changes each image, then mixes them."""

    @field_validator("custom")
    @classmethod
    def _is_registered(cls, custom: dict[str, float]) -> dict[str, float]:
        for name in custom:
            if name not in CUSTOM_AUGMENTATIONS:
                raise unknown_name_error("augmentation", name, CUSTOM_AUGMENTATIONS.names())
        return custom

    def __call__(
        self, images: Pixels, targets: OneHot, random: np.random.Generator
    ) -> tuple[Pixels, OneHot]:
        """A changed copy of a batch (batch, H, W, C), and its targets: mixed, or as they are."""
        if self.where == "data":
            images, _ = _augment(images, random, self)
        for name, strength in self.custom.items():
            change, generators = CUSTOM_AUGMENTATIONS[name], random.spawn(len(images))
            pairs = zip(images, generators, strict=True)
            images = np.stack([change(image, strength, one) for image, one in pairs])
        return mix(images, targets, random, self)


def augment_with_masks(
    images: Pixels, masks: Pixels, random: np.random.Generator, settings: AugmentationSettings
) -> tuple[Pixels, Pixels]:
    """Changed copies of a batch and of its masks, each mask moved exactly as its image.

    The images are those that `Augmentation` makes of the same batch and generator. Masks keep
    their grey values, and no others come up: the nearest one is taken.

    Args:
        images: (batch, H, W, C) uint8.
        masks: (batch, H, W, 1) uint8.
        random: all chance comes from it.
        settings: how far each change may go; `where`, `mixup` and `cutmix` are not looked at.

    Raises:
        DataError: masks that are not of the images' number and size.
    """
    if masks.shape[:3] != images.shape[:3]:
        raise DataError(
            f"Masks do not have their images' number and size. Received: images of shape "
            f"{images.shape} and masks of shape {masks.shape}. Resize the masks as their images."
        )
    changed, matrices = _augment(images, random, settings)
    moved = np.empty(masks.shape, np.uint8)
    for mask, matrix, target in zip(masks, matrices, moved, strict=True):
        target[...] = _move(mask, matrix, cv2.INTER_NEAREST, target)
    return changed, moved


def _augment(
    images: Pixels, random: np.random.Generator, settings: AugmentationSettings
) -> tuple[Pixels, list[Matrix | None]]:
    """A changed copy of each image, and the matrix by which it was moved."""
    changed = np.empty(images.shape, np.uint8)
    matrices = []
    chances = _draw(len(images), random, settings)
    for image, chance, target in zip(images, chances, changed, strict=True):
        matrices.append(_matrix(image, chance, settings))
        moved = _move(image, matrices[-1], cv2.INTER_LINEAR, target)
        last = _change_greys(moved, chance, settings)
        if last is not target:
            target[...] = last
    return changed, matrices


class _Chance(NamedTuple):
    """What was drawn for one item: numbers between -1 and 1, and where more come from."""

    hflip: bool
    more: np.random.Generator | None
    angle: float
    zoom: float
    across: float
    down: float
    contrast: float
    brightness: float


def _draw(
    count: int, random: np.random.Generator, settings: AugmentationSettings
) -> Iterator[_Chance]:
    # As many numbers an item whatever the settings: a change to one leaves the others' chance as
    # it was, and an item's chance depends on its position alone.
    draws = random.random((count, 7))
    # Noise takes as many numbers as there are pixels: from a generator of the item's own, which
    # is made only where it is asked for, because making it takes as long as a warp.
    wanted = settings.gamma or settings.noise or settings.cutout
    generators = random.spawn(count) if wanted else [None] * count
    mirrored = draws[:, 0] < settings.hflip
    either_way = 2.0 * draws[:, 1:] - 1.0
    for hflip, numbers, more in zip(mirrored, either_way.tolist(), generators, strict=True):
        yield _Chance(bool(hflip), more, *numbers)


def _matrix(image: Pixels, chance: _Chance, settings: AugmentationSettings) -> Matrix | None:
    """All of an item's moves as one matrix, so that it is interpolated once; None for none."""
    if not (settings.rotation or settings.zoom or settings.shift or chance.hflip):
        return None
    height, width = image.shape[:2]
    centre = ((width - 1) / 2, (height - 1) / 2)
    degrees = chance.angle * settings.rotation
    turn = np.asarray(
        cv2.getRotationMatrix2D(centre, degrees, 1.0 + chance.zoom * settings.zoom), np.float64
    )
    turn[0, 2] += chance.across * settings.shift * width
    turn[1, 2] += chance.down * settings.shift * height
    if chance.hflip:
        turn = turn @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], np.float64)
    return turn


def _move(image: Pixels, matrix: Matrix | None, interpolation: int, target: Pixels) -> Pixels:
    """An image (H, W, C) moved into `target`; what comes into view is its border, repeated."""
    if matrix is None:
        return image
    size = (image.shape[1], image.shape[0])
    cv2.warpAffine(
        image, matrix, size, target, flags=interpolation, borderMode=cv2.BORDER_REPLICATE
    )
    return target


def _change_greys(image: Pixels, chance: _Chance, settings: AugmentationSettings) -> Pixels:
    """An image (H, W, C) with other grey values."""
    exponent, top, left = 1.0, 0.0, 0.0
    if chance.more is not None:
        exponent = (1.0 + settings.gamma) ** chance.more.uniform(-1.0, 1.0)
        top, left = chance.more.random(2)
    if settings.contrast or settings.brightness or settings.gamma:
        spread = 1.0 + chance.contrast * settings.contrast
        # Sums of whole numbers are exact, and OpenCV's is ten times as fast as NumPy's.
        middle = sum(cv2.sumElems(image)) / image.size
        offset = middle - spread * middle + chance.brightness * settings.brightness * 255.0
        # A table of 256 values is much faster than arithmetic on every pixel.
        greys = np.clip(np.arange(256) * spread + offset, 0, 255)
        if settings.gamma:
            greys = 255.0 * (greys / 255.0) ** exponent
        image = _as_pixels(cv2.LUT(image, np.rint(greys).astype(np.uint8)), image)
    if settings.noise and chance.more is not None:
        numbers = np.frombuffer(chance.more.bytes(2 * image.size), np.uint16)
        noise = _noise_of_number(settings.noise)[numbers].reshape(image.shape)
        # OpenCV cuts what leaves the range.
        image = _as_pixels(cv2.add(image, noise, dtype=cv2.CV_8U), image)
    if settings.cutout:
        height, width = image.shape[:2]
        tall, wide = round(settings.cutout * height), round(settings.cutout * width)
        top, left = int(top * (height - tall + 1)), int(left * (width - wide + 1))
        image = image.copy()
        image[top : top + tall, left : left + wide] = CUTOUT_GREY
    return image


@functools.cache
def _noise_of_number(share: float) -> npt.NDArray[np.int16]:
    """Gaussian noise in grey levels for each 16-bit number: looking up is faster than drawing."""
    quantile = NormalDist().inv_cdf
    noise = [255.0 * share * quantile((number + 0.5) / 2**16) for number in range(2**16)]
    return np.rint(noise).astype(np.int16)


def _as_pixels(changed: npt.NDArray[Any], image: Pixels) -> Pixels:
    """What OpenCV made of an image, with the axis of a single channel that it left out."""
    return changed.reshape(image.shape).astype(np.uint8, copy=False)
