"""Is a map right? What it says is put to the test against the model, and against true regions."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.models.runtime import compiled_function
from kagglecxr.saliency.backend import Array
from kagglecxr.saliency.explained_model import BATCH, ExplainedModel, Targets

Masks = npt.NDArray[np.bool_]
"""(N, H, W), true inside of the region that counts."""

STEPS = 20
"""Steps in which an image is taken away or given back."""
BLUR = 0.05
"""The standard deviation of the blurred image that pixels are given back to, as a share of its
side."""


@dataclass(frozen=True)
class Curves:
    """The probabilities of targets, (N, steps + 1), while pixels are taken away or given back."""

    probabilities: Array

    def areas(self) -> Array:
        """Returns the area under each curve, (N,), of shares of pixels from 0 to 1."""
        return np.asarray(np.trapezoid(self.probabilities, dx=1 / STEPS, axis=1))


def relevance_mass(maps: Array, masks: Masks) -> Array:
    """Returns the share of a map's positive part that is inside (Arras et al. 2022, section 3.3).

    Args:
        maps: (N, H, W).
        masks: (N, H, W).

    Returns:
        (N,); not a number for a map without any positive value.
    """
    positive = np.maximum(maps, 0).astype(np.float64)
    total = positive.sum(axis=(1, 2))
    inside = (positive * masks).sum(axis=(1, 2))
    return np.asarray(np.divide(inside, total, out=np.full(len(maps), np.nan), where=total > 0))


def pointing_game(maps: Array, masks: Masks) -> Masks:
    """Returns whether the highest pixel of each map is inside, (N,) (Zhang et al. 2018, section 4).

    A map whose values are all the same points nowhere.
    """
    flat = maps.reshape(len(maps), -1)
    highest = flat.argmax(axis=1)
    hit = masks.reshape(len(masks), -1)[np.arange(len(maps)), highest]
    return np.asarray(hit & (np.ptp(flat, axis=1) > 0))


def share_of_area(masks: Masks) -> Array:
    """Returns the share of the image that is inside, (N,): what either measure is by chance."""
    return np.asarray(masks.mean(axis=(1, 2)))


def deletion(
    explained: ExplainedModel,
    images: Array,
    targets: Targets,
    maps: Array,
    random: np.random.Generator,
) -> Curves:
    """Takes pixels away, the most relevant first (Petsiuk et al. 2018, section 4.2): low is good.

    Args:
        explained: the classifier.
        images: (N, H, W, C), 0..255; what is taken away becomes black.
        targets: (N,) whose probability is asked for.
        maps: (N, H, W), by which pixels are ordered.
        random: orders pixels of the same value.
    """
    return _curves(explained, images, targets, maps, random, lambda i: (i, np.zeros_like(i)))


def insertion(
    explained: ExplainedModel,
    images: Array,
    targets: Targets,
    maps: Array,
    random: np.random.Generator,
) -> Curves:
    """Gives pixels back to a blurred image, the most relevant first: high is good.

    Arguments are those of `deletion`.
    """
    return _curves(explained, images, targets, maps, random, lambda i: (_blurred(i), i))


def _curves(
    explained: ExplainedModel,
    images: Array,
    targets: Targets,
    maps: Array,
    random: np.random.Generator,
    ends: Callable[[Array], tuple[Array, Array]],
) -> Curves:
    """Replaces the pixels of what an image begins with by those of what it ends with."""
    predict = compiled_function(explained.model)
    curves = []
    for image, target, one in zip(images, targets, maps, strict=True):
        begin, end = ends(image)
        # Of equal values a random one first: in the order of rows an edge would go first.
        order = np.lexsort((random.random(one.size), -one.ravel()))
        rank = np.empty(one.size, np.intp)
        rank[order] = np.arange(one.size)
        steps = []
        for step in range(STEPS + 1):
            share = step / STEPS
            first = (rank < round(share * one.size)).reshape(one.shape)[..., None]
            steps.append(np.where(first, end, begin))
        batches = [np.stack(steps[n : n + BATCH]) for n in range(0, len(steps), BATCH)]
        outputs = np.concatenate([keras.ops.convert_to_numpy(predict(b)) for b in batches])
        curves.append(_probability(outputs, int(target)))
    return Curves(np.stack(curves))


def _probability(outputs: Array, target: int) -> Array:
    if outputs.shape[1] == 1:
        return outputs[:, 0] if target else 1 - outputs[:, 0]
    return np.asarray(outputs[:, target])


def _blurred(image: Array) -> Array:
    blurred = cv2.GaussianBlur(image, (0, 0), BLUR * max(image.shape))
    return np.asarray(blurred.reshape(image.shape), np.float32)
