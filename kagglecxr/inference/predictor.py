"""Asks a model for the probabilities of images, from several views."""

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.data.sequences.sequence import OrderedSequence
from kagglecxr.inference.predictions import average
from kagglecxr.inference.tta import DEFAULT_VIEWS, VIEWS


def predict_views(
    model: keras.Model,
    images: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.intp],
    *,
    views: Sequence[str] = DEFAULT_VIEWS,
    batch_size: int = 64,
) -> npt.NDArray[np.float32]:
    """The mean probabilities over the views of some rows of a memory map.

    Args:
        model: answers a batch of raw pixels with probabilities.
        images: (N, H, W) or (N, H, W, C) uint8.
        rows: which of them.
        views: names of views, see `kagglecxr.inference.tta`.
        batch_size: images at a time.

    Returns:
        (rows, targets); one sigmoid unit becomes two columns.
    """
    seen = [
        model.predict(OrderedSequence(images, rows, batch_size, view=VIEWS[name]), verbose=0)
        for name in views
    ]
    mean = average(seen)
    return np.concatenate([1 - mean, mean], axis=1) if mean.shape[1] == 1 else mean
