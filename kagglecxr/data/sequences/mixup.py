"""Mixup and CutMix: mixes the images of a batch, and their targets in the same proportions."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.augmentation_settings import AugmentationSettings

Pixels = npt.NDArray[np.uint8]
OneHot = npt.NDArray[np.float32]


def mix(
    images: Pixels, targets: OneHot, random: np.random.Generator, settings: AugmentationSettings
) -> tuple[Pixels, OneHot]:
    """Mixes a batch as the settings say: by `mixup`, by `cutmix`, by either at random, or not."""
    # A number is drawn only if there is a choice.
    if settings.mixup and (not settings.cutmix or random.random() < 0.5):
        return mixup(images, targets, random, settings.mixup)
    if settings.cutmix:
        return cutmix(images, targets, random, settings.cutmix)
    return images, targets


def mixup(
    images: Pixels, targets: OneHot, random: np.random.Generator, alpha: float
) -> tuple[Pixels, OneHot]:
    """Blends each image (batch, H, W, C) with another one: Zhang et al. 2018, arXiv:1710.09412.

    The whole batch has one share, drawn from Beta(alpha, alpha), and one permutation, so that every
    target (batch, targets) keeps the weight it has in a balanced batch. Larger values of alpha give
    shares closer to a half.
    """
    share = float(random.beta(alpha, alpha))
    others = random.permutation(len(images))
    # Rounded to uint8: half a grey level is far below an X-ray's noise, and float32 would be four
    # times the traffic to the accelerator.
    mixed = np.empty(images.shape, np.uint8)
    # One image at a time, so that it stays in the processor's cache.
    for number, other in enumerate(others):
        blend = cv2.addWeighted(images[number], share, images[other], 1.0 - share, 0.0)
        mixed[number] = blend.reshape(mixed[number].shape)
    return mixed, _share_targets(targets, others, share)


def cutmix(
    images: Pixels, targets: OneHot, random: np.random.Generator, alpha: float
) -> tuple[Pixels, OneHot]:
    """Replaces a box of each image by another image's: CutMix, Yun et al. 2019, arXiv:1905.04899.

    The box's share of the area is drawn from Beta(alpha, alpha), and its centre from the whole
    image. The targets' shares are those of the pixels. The whole batch has one box and one
    permutation, as in `mixup`; with an alpha of 1 all shares are equally likely.
    """
    height, width = images.shape[1:3]
    side = math.sqrt(1.0 - float(random.beta(alpha, alpha)))
    others = random.permutation(len(images))
    rows = _span(height, side, random)
    columns = _span(width, side, random)
    pasted = images.copy()
    pasted[:, rows, columns] = images[others, rows, columns]
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return pasted, _share_targets(targets, others, 1.0 - area / (height * width))


def _span(length: int, share: float, random: np.random.Generator) -> slice:
    """Draws a box's extent along one axis, clipped to the image."""
    half = round(share * length) // 2
    centre = int(random.integers(length))
    return slice(max(centre - half, 0), min(centre + half, length))


def _share_targets(targets: OneHot, others: npt.NDArray[np.intp], share: float) -> OneHot:
    mixed: OneHot = (share * targets + (1.0 - share) * targets[others]).astype(np.float32)
    return mixed
