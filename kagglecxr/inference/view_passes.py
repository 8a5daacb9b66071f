"""The passes of one model over images, from several views of each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.data.images.image_array import ImageArray
from kagglecxr.data.sequences.sequence import OrderedSequence
from kagglecxr.inference.predictions import PLAIN_VIEW, average
from kagglecxr.inference.tta import DEFAULT_VIEWS, VIEWS, resolve_views

Pixels = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]
Array = npt.NDArray[np.float32]
Probabilities = Array

BATCH_SIZE = 64


def predict_views(
    model: keras.Model, images: ImageArray, rows: Rows, *, views: Sequence[str] = DEFAULT_VIEWS
) -> Probabilities:
    """Predicts images with one model: the mean of several views.

    Args:
        model: takes a batch of raw pixels and returns probabilities.
        images: (N, H, W) or (N, H, W, C) uint8.
        rows: which of them.
        views: names of views, see `kagglecxr.inference.tta`.

    Returns:
        (rows, targets); one sigmoid unit becomes two columns.
    """
    # By `predict`: batch by batch, each device of a distributed model would get a whole batch.
    return mean_of_views(
        [
            model.predict(
                OrderedSequence(images, rows, BATCH_SIZE, view=VIEWS[name].array), verbose=0
            )
            for name in resolve_views(views)
        ]
    )


def predict_in_batches(
    function: Callable[[Pixels], Any], images: ImageArray, rows: Rows, views: Sequence[str]
) -> dict[str, list[Array]]:
    """Predicts without the data pipeline that `predict` makes each time.

    Returns:
        By view, the probabilities (rows, targets), and behind them the pooled features of the image
        as it is, if the function returns any.
    """
    batches = OrderedSequence(images, rows, BATCH_SIZE)
    outputs = {name: list[Sequence[Array]]() for name in views}
    for number in range(len(batches)):
        pixels = batches[number][0]
        for name, output in outputs.items():
            output.append(as_arrays(function(VIEWS[name].array(pixels)), name))
    return concatenate_batches(outputs)


def views_to_predict(names: Sequence[str], pooled: bool) -> list[str]:
    """Returns the views to predict: those that are wanted, and the one whose features are."""
    return resolve_views([*names, *([PLAIN_VIEW] if pooled else [])])


def as_arrays(outputs: Any, view: str) -> list[Array]:
    """Returns the outputs of a batch, without features of other views, which nobody needs."""
    listed = outputs if isinstance(outputs, list) else [outputs]
    kept = listed if view == PLAIN_VIEW else listed[:1]
    return [keras.ops.convert_to_numpy(output) for output in kept]


def concatenate_batches(
    by_view: Mapping[str, Sequence[Sequence[Array]]],
) -> dict[str, list[Array]]:
    """Returns by view the outputs of all batches, each as one array."""
    return {
        view: [np.concatenate(parts) for parts in zip(*batches, strict=True)]
        for view, batches in by_view.items()
    }


def mean_of_views(outputs: Sequence[Probabilities]) -> Probabilities:
    """Returns the mean of views (images, targets); one sigmoid unit becomes two columns."""
    mean = average(outputs)
    return np.concatenate([1 - mean, mean], axis=1) if mean.shape[1] == 1 else mean
