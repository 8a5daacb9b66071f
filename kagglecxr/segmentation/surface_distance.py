"""Distances between the borders of two masks, in pixels."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, distance_transform_edt

Mask = npt.NDArray[np.bool_]
"""(H, W), true in the lungs."""


@dataclass(frozen=True)
class SurfaceDistance:
    """Distances between the borders of two masks, in pixels.

    Attributes:
        hausdorff95: the 95th percentile of the distances of each border's pixels to the other
            border, the larger of the two directions (Huttenlocher et al. 1993 has the maximum).
        mean: the mean of all these distances, of both directions together.
    """

    hausdorff95: float
    mean: float


def surface_distance(predicted: Mask, true: Mask) -> SurfaceDistance:
    """Measures how far apart the borders of two masks (H, W) are.

    A border is what a mask loses by an erosion of one pixel; the image's edge counts as outside.
    Of two empty masks the distance is 0, and of one empty mask the image's diagonal.
    """
    if not (predicted.any() and true.any()):
        far = 0.0 if predicted.any() == true.any() else float(np.hypot(*predicted.shape))
        return SurfaceDistance(far, far)
    one, other = (mask & ~binary_erosion(mask) for mask in (predicted, true))
    to_true = distance_transform_edt(~other)[one]
    to_predicted = distance_transform_edt(~one)[other]
    farthest = max(float(np.quantile(d, 0.95)) for d in (to_true, to_predicted))
    return SurfaceDistance(farthest, float(np.concatenate([to_true, to_predicted]).mean()))
