"""Predicts masks with a segmentation model: the mean of several views, each turned back."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from kagglecxr.data.images.image_array import ImageArray
from kagglecxr.data.sequences.sequence import OrderedSequence
from kagglecxr.inference.tta import DEFAULT_VIEWS, VIEWS, resolve_views
from kagglecxr.inference.view_passes import Pixels, Probabilities, Rows

BATCH_SIZE = 16
"""Maps of a batch take as much memory as its images in float32, times channels."""


def predict_masks(
    function: Callable[[Pixels], Probabilities],
    images: ImageArray,
    rows: Rows,
    *,
    views: Sequence[str] = DEFAULT_VIEWS,
) -> npt.NDArray[np.float32]:
    """Predicts the masks of images, the mean of several views.

    Where a view does not show a part of the image, as a crop, the others decide.

    Args:
        function: takes a batch of raw pixels (batch, H, W, C), returns (batch, H, W, 1).
        images: (N, H, W) or (N, H, W, C) uint8.
        rows: which of them.
        views: names of views, see `kagglecxr.inference.tta`.

    Returns:
        (rows, H, W) probabilities.
    """
    batches = OrderedSequence(images, rows, BATCH_SIZE)
    used = [VIEWS[name] for name in resolve_views(views)]
    means = np.zeros((len(rows), *images.shape[1:3]), np.float32)
    for number in range(len(batches)):
        pixels = batches[number][0]
        total = np.zeros((*pixels.shape[:3], 1), np.float32)
        seen = np.zeros_like(total)
        for view in used:
            maps = np.asarray(function(view.array(pixels)), np.float32)
            total += view.inverse(maps)
            seen += view.inverse(np.ones_like(maps))
        means[number * BATCH_SIZE :][: len(pixels)] = (total / np.maximum(seen, 1e-6))[..., 0]
    return means
