"""Augmentation of uint8 training images in the data path."""

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
Masks = npt.NDArray[Any]
CustomAugmentation = Callable[[Pixels, float, np.random.Generator], Pixels]
CUSTOM_AUGMENTATIONS = Registry[CustomAugmentation]("augmentation")
"""Further augmentations, for `[augmentation.custom]` of a recipe.

Each maps an image (H, W, C) uint8, its strength in the recipe and a generator to an image of the
same shape.
"""


class Augmentation(AugmentationSettings):
    """A `Transform` of sequences with these settings: changes each image, then mixes them."""

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
        """Returns a changed copy of a batch (batch, H, W, C), and its targets, mixed or not."""
        if self.where == "data":
            images, _ = _augment(images, random, self)
        for name, strength in self.custom.items():
            change, generators = CUSTOM_AUGMENTATIONS[name], random.spawn(len(images))
            pairs = zip(images, generators, strict=True)
            images = np.stack([change(image, strength, one) for image, one in pairs])
        return mix(images, targets, random, self)


def augment_with_masks(
    images: Pixels, masks: Masks, random: np.random.Generator, settings: AugmentationSettings
) -> tuple[Pixels, Masks]:
    """Augments images (batch, H, W, C) and their masks (batch, H, W, 1), each moved as its image.

    The images are those that `Augmentation` makes of the same batch and generator. Masks are
    resampled to the nearest pixel, so they have no new grey values.

    Raises:
        DataError: the masks' number or size is not that of the images.
    """
    if masks.shape[:3] != images.shape[:3]:
        raise DataError(
            f"Masks do not have their images' number and size. Received: images of shape "
            f"{images.shape} and masks of shape {masks.shape}. Resize the masks as their images."
        )
    changed, matrices = _augment(images, random, settings)
    moved = np.empty_like(masks)
    for mask, matrix, target in zip(masks, matrices, moved, strict=True):
        target[...] = _move(mask, matrix, cv2.INTER_NEAREST, target)
    return changed, moved


def _augment(
    images: Pixels, random: np.random.Generator, settings: AugmentationSettings
) -> tuple[Pixels, list[Matrix | None]]:
    """Returns changed copies, and the matrices by which they were moved."""
    changed = np.empty(images.shape, np.uint8)
    matrices = []
    draws = _draw(len(images), random, settings)
    for image, draw, target in zip(images, draws, changed, strict=True):
        matrices.append(_make_matrix(image, draw, settings))
        moved = _move(image, matrices[-1], cv2.INTER_LINEAR, target)
        last = _change_greys(moved, draw, settings)
        if last is not target:
            target[...] = last
    return changed, matrices


class _Draw(NamedTuple):
    """The random numbers of one image, between -1 and 1, and a generator for more of them."""

    hflip: bool
    generator: np.random.Generator | None
    angle: float
    zoom: float
    across: float
    down: float
    contrast: float
    brightness: float


def _draw(
    count: int, random: np.random.Generator, settings: AugmentationSettings
) -> Iterator[_Draw]:
    # The same count of numbers for any settings: changing one setting leaves the others' numbers
    # as they are, and an image's numbers depend on its position only.
    numbers = random.random((count, 7))
    # Noise needs a number per pixel, from a generator of the image's own. Making one takes as long
    # as a warp, so it is made only if needed.
    is_needed = settings.gamma or settings.noise or settings.cutout
    generators = random.spawn(count) if is_needed else [None] * count
    flips = (numbers[:, 0] < settings.hflip).tolist()
    symmetric = (2.0 * numbers[:, 1:] - 1.0).tolist()
    for hflip, others, own in zip(flips, symmetric, generators, strict=True):
        yield _Draw(hflip, own, *others)


def _make_matrix(image: Pixels, draw: _Draw, settings: AugmentationSettings) -> Matrix | None:
    """Returns all of an image's moves as one matrix, so that it is interpolated once, or None."""
    if not (settings.rotation or settings.zoom or settings.shift or draw.hflip):
        return None
    height, width = image.shape[:2]
    centre = ((width - 1) / 2, (height - 1) / 2)
    degrees = draw.angle * settings.rotation
    turn = np.asarray(
        cv2.getRotationMatrix2D(centre, degrees, 1.0 + draw.zoom * settings.zoom), np.float64
    )
    turn[0, 2] += draw.across * settings.shift * width
    turn[1, 2] += draw.down * settings.shift * height
    if draw.hflip:
        turn = turn @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], np.float64)
    return turn


def _move(
    image: npt.NDArray[Any], matrix: Matrix | None, interpolation: int, target: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Moves an image (H, W, C) into `target`; its border is repeated outside."""
    if matrix is None:
        return image
    size = (image.shape[1], image.shape[0])
    cv2.warpAffine(
        image, matrix, size, target, flags=interpolation, borderMode=cv2.BORDER_REPLICATE
    )
    return target


def _change_greys(image: Pixels, draw: _Draw, settings: AugmentationSettings) -> Pixels:
    exponent, top, left = 1.0, 0.0, 0.0
    if draw.generator is not None:
        exponent = (1.0 + settings.gamma) ** draw.generator.uniform(-1.0, 1.0)
        top, left = draw.generator.random(2)
    if settings.contrast or settings.brightness or settings.gamma:
        spread = 1.0 + draw.contrast * settings.contrast
        # OpenCV's sum is exact for whole numbers and ten times as fast as NumPy's.
        middle = sum(cv2.sumElems(image)) / image.size
        offset = middle - spread * middle + draw.brightness * settings.brightness * 255.0
        # A lookup table is much faster than arithmetic on every pixel.
        greys = np.clip(np.arange(256) * spread + offset, 0, 255)
        if settings.gamma:
            greys = 255.0 * (greys / 255.0) ** exponent
        image = _as_pixels(cv2.LUT(image, np.rint(greys).astype(np.uint8)), image)
    if settings.noise and draw.generator is not None:
        numbers = np.frombuffer(draw.generator.bytes(2 * image.size), np.uint16)
        noise = _noise_of_number(settings.noise)[numbers].reshape(image.shape)
        # OpenCV clips to 0 to 255.
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
    """Returns Gaussian noise in grey levels for each 16-bit number; faster than drawing it."""
    quantile = NormalDist().inv_cdf
    noise = [255.0 * share * quantile((number + 0.5) / 2**16) for number in range(2**16)]
    return np.rint(noise).astype(np.int16)


def _as_pixels(changed: npt.NDArray[Any], image: Pixels) -> Pixels:
    """Restores the axis of a single channel, which OpenCV drops."""
    return changed.reshape(image.shape).astype(np.uint8, copy=False)
