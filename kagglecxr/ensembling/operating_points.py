"""Operating points: how sensitive a target's threshold is where it is as specific as wanted."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_curve
from sklearn.model_selection import LeaveOneGroupOut

from kagglecxr.core.errors import DataError
from kagglecxr.core.metrics import Decisions

Scores = npt.NDArray[np.floating]

SPECIFICITIES = (0.8, 0.9, 0.95)


def operating_points(
    is_target: Decisions, scores: Scores, specificities: Sequence[float] = SPECIFICITIES
) -> pd.DataFrame:
    """Returns the highest sensitivity of one target at each specificity or a better one.

    A score (N,) of at least the threshold says that the image is of the target. Columns are
    min_specificity, threshold, sensitivity and specificity; the threshold is infinite where no
    image may be said to be of the target.

    Raises:
        DataError: all images are of the target, or none.
    """
    if is_target.all() or not is_target.any():
        raise DataError(
            "Sensitivity and specificity need images of a target and others. Received: "
            f"{int(is_target.sum())} of {len(is_target)} are of it. Choose another target."
        )
    false_positives, sensitivity, threshold = roc_curve(is_target, scores, drop_intermediate=False)
    # argmax is the first of equal sensitivities, which has the most specificity.
    points = [sensitivity[false_positives <= 1 - s + 1e-12].argmax() for s in specificities]
    return pd.DataFrame(
        {
            "min_specificity": specificities,
            "threshold": threshold[points].astype(np.float64),
            "sensitivity": sensitivity[points],
            "specificity": 1.0 - false_positives[points],
        }
    )


def nested_operating_points(
    is_target: Decisions,
    scores: Scores,
    folds: npt.NDArray[np.integer],
    specificities: Sequence[float] = SPECIFICITIES,
) -> pd.DataFrame:
    """Adds what thresholds reach on each fold (N,) as chosen on all others, as nested_ columns.

    Raises:
        DataError: all images of the other folds are of the target, or none.
    """
    table = operating_points(is_target, scores, specificities)
    decided = np.empty((len(scores), len(table)), np.bool_)
    for others, own in LeaveOneGroupOut().split(scores, groups=folds):
        chosen = operating_points(is_target[others], scores[others], specificities)
        decided[own] = scores[own, np.newaxis] >= chosen["threshold"].to_numpy()
    table["nested_sensitivity"] = decided[is_target].mean(axis=0)
    table["nested_specificity"] = 1.0 - decided[~is_target].mean(axis=0)
    return table
