"""Maps from what happens to a score when parts of the image are hidden.

They need no gradient and hold for any classifier. Maps are (N, H, W), in units of the score.
"""

from collections.abc import Callable, Iterator

import cv2
import keras
import numpy as np

from kagglecxr.saliency.backend import Array
from kagglecxr.saliency.explained_model import BATCH, ExplainedModel, Targets, of_targets

Score = Callable[[Array, Targets], Array]
"""From images (N, H, W, C) and their targets (N,) to the score (N,) of each image's target."""

PATCHES = 14
"""Patches of an occlusion along each side."""
MASKS, CELLS, KEPT = 500, 8, 0.5


def occlusion(
    explained: ExplainedModel, images: Array, targets: Targets, patches: int = PATCHES
) -> Array:
    """Returns `occlusion_of_score` of a classifier's logits."""
    return occlusion_of_score(_score(explained), images, targets, patches)


def occlusion_of_score(
    score: Score, images: Array, targets: Targets, patches: int = PATCHES
) -> Array:
    """How much a score falls where a patch is hidden (Zeiler and Fergus 2014, section 4.2).

    The patch is as grey as the image is on average, and twice as wide as the step to the next, so
    that each pixel is hidden several times; its value is the mean over these.

    Args:
        score: of images; maps have its unit.
        images: (N, H, W, C), 0..255.
        targets: (N,) the class that each map is for.
        patches: steps along each side.
    """
    height, width = images.shape[1:3]
    ys, xs = (np.linspace(0, side, patches + 1).round().astype(int) for side in (height, width))
    boxes = [
        (slice(ys[y], ys[y + 2]), slice(xs[x], xs[x + 2]))
        for y in range(patches - 1)
        for x in range(patches - 1)
    ]
    maps = []
    for image, target in zip(images, targets, strict=True):
        whole = score(image[None], np.array([target]))[0]
        values = _scores(score, (_hidden(image, box) for box in boxes), target)
        total, counts = np.zeros((height, width)), np.zeros((height, width))
        for box, value in zip(boxes, values, strict=True):
            total[box] += whole - value
            counts[box] += 1
        maps.append(total / counts)
    return np.asarray(np.stack(maps), np.float32)


def rise(
    explained: ExplainedModel,
    images: Array,
    targets: Targets,
    random: np.random.Generator,
    masks: int = MASKS,
) -> Array:
    """Returns `rise_of_score` of a classifier's logits."""
    return rise_of_score(_score(explained), images, targets, random, masks)


def rise_of_score(
    score: Score,
    images: Array,
    targets: Targets,
    random: np.random.Generator,
    masks: int = MASKS,
) -> Array:
    """RISE (Petsiuk et al. 2018, equation 6): the mean of random masks, weighted by their scores.

    Masks are grids of `CELLS` by `CELLS` random cells, half of them kept, enlarged smoothly and
    shifted. Scores are taken less their mean over the masks, so that 0 is a pixel that makes no
    difference.

    Args:
        score: of images; maps have its unit.
        images: (N, H, W, C), 0..255.
        targets: (N,) the class that each map is for.
        random: draws the masks.
        masks: their number, the same ones for all images.
    """
    drawn = list(_random_masks(masks, images.shape[1:3], random))
    maps = []
    for image, target in zip(images, targets, strict=True):
        masked = (image * mask[..., None] for mask in drawn)
        values = _scores(score, masked, target)
        maps.append(np.tensordot(values - values.mean(), drawn, 1) / (masks * KEPT))
    return np.asarray(np.stack(maps), np.float32)


def _hidden(image: Array, box: tuple[slice, slice]) -> Array:
    copy = image.copy()
    copy[box] = image.mean(axis=(0, 1))
    return copy


def _random_masks(
    number: int, shape: tuple[int, ...], random: np.random.Generator
) -> Iterator[Array]:
    height, width = shape
    cell = (-(-height // CELLS), -(-width // CELLS))
    large = ((CELLS + 1) * cell[1], (CELLS + 1) * cell[0])
    for _ in range(number):
        grid = (random.random((CELLS, CELLS)) < KEPT).astype(np.float32)
        mask = cv2.resize(grid, large, interpolation=cv2.INTER_LINEAR)
        y, x = random.integers(cell[0]), random.integers(cell[1])
        yield np.asarray(mask[y : y + height, x : x + width], np.float32)


def _score(explained: ExplainedModel) -> Score:
    return lambda images, targets: keras.ops.convert_to_numpy(
        of_targets(keras.ops.convert_to_tensor(explained.logits(images)), targets)
    )


def _scores(score: Score, images: Iterator[Array], target: int) -> Array:
    """The scores of one target, (N,), of images that are made a batch at a time."""
    values, batch = [], []
    for image in images:
        batch.append(image)
        if len(batch) == BATCH:
            values.append(score(np.stack(batch), np.full(BATCH, target)))
            batch = []
    if batch:
        values.append(score(np.stack(batch), np.full(len(batch), target)))
    return np.concatenate(values)
