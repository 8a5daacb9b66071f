"""Learns in one fold which images are unusual."""

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.data.images.image_array import ImageArray
from kagglecxr.data.sequences.sequence import OrderedSequence
from kagglecxr.inference.novelty import Novelty, fit_novelty
from kagglecxr.models.feature_maps import add_pooled_features
from kagglecxr.training.fold_data import FoldData, PooledFeatures

MAX_IMAGES = 2000
"""Of each side; enough for a Gaussian of `MAX_DIRECTIONS` directions and a threshold."""
_BATCH = 64


def learn_novelty(
    model: keras.Model,
    data: FoldData,
    random: np.random.Generator,
    pooled: PooledFeatures | None = None,
) -> Novelty:
    """Fits the features of the images that a model learned from, without augmentation.

    Its held-out images are scored; of either side at most `MAX_IMAGES`, chosen at random.

    Args:
        model: the model of a fold.
        data: the images of both sides.
        random: chooses them.
        pooled: returns features that are known already, as those of a frozen backbone are.
    """
    if pooled is None:
        trunk = keras.Model(model.input, add_pooled_features(model).outputs[1:])
        images = data.task.prepared.cache.images

        def pooled(chosen: npt.NDArray[np.intp]) -> list[npt.NDArray[np.float32]]:
            return _features(trunk, images, data.rows[chosen])

    sides = []
    for is_held_out in (False, True):
        chosen = np.flatnonzero(data.held_out == is_held_out)
        if len(chosen) > MAX_IMAGES:
            chosen = np.sort(random.choice(chosen, MAX_IMAGES, replace=False))
        sides.append(pooled(chosen))
    return fit_novelty(*sides)


def _features(
    pooled: keras.Model, images: ImageArray, rows: npt.NDArray[np.intp]
) -> list[npt.NDArray[np.float32]]:
    sequence = OrderedSequence(images, rows, _BATCH)
    # Called as it is: to trace a graph for one pass takes as long as some hundred images.
    batches = [pooled(sequence[n][0], training=False) for n in range(len(sequence))]
    return [
        np.concatenate([keras.ops.convert_to_numpy(features) for features in depth])
        for depth in zip(*(keras.tree.flatten(batch) for batch in batches), strict=True)
    ]
