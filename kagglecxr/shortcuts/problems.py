"""What a run predicts of an image, as classification problems: its class, or each of its findings.

Single labels are one problem of all classes. Of findings each is a problem of its own with two
classes, absent and present (binary relevance: Tsoumakas and Katakis 2007, "Multi-label
classification: an overview"), so that what is measured of a problem holds for both. Truth is (N,)
class ids, or (N, findings) 1, 0 and NaN where a finding is not known.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.finding_metrics import auc_of_findings
from kagglecxr.core.metrics import Truth

Numbers = npt.NDArray[np.intp]
Values = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating[Any]]
Cells = npt.NDArray[np.bool_]
"""(N, problems)"""

UNKNOWN = -1


def are_findings(truth: Truth) -> bool:
    """Whether an image may have several of the targets."""
    return truth.ndim == 2


def class_ids(truth: Truth) -> list[Numbers]:
    """Returns (N,) the true class in each problem, -1 where it is not known.

    >>> [one.tolist() for one in class_ids(np.array([[1, np.nan], [0, 1]], np.float32))]
    [[1, 0], [-1, 1]]
    """
    if not are_findings(truth):
        return [truth.astype(np.intp)]
    known = ~np.isnan(truth)
    return list(np.where(known, np.nan_to_num(truth), UNKNOWN).astype(np.intp).T)


def class_probabilities(truth: Truth, probabilities: Floats) -> list[Floats]:
    """Returns (N, classes) of each problem, from what a run predicts (N, targets)."""
    if not are_findings(truth):
        return [probabilities]
    return [np.stack([1 - present, present], axis=1) for present in probabilities.T]


def join_probabilities(truth: Truth, of_problems: Sequence[Floats]) -> npt.NDArray[np.float32]:
    """Returns (N, targets) from (N, classes) of each problem, as a run predicts them."""
    if not are_findings(truth):
        [probabilities] = of_problems
        return probabilities.astype(np.float32)
    return np.stack([one[:, 1] for one in of_problems], axis=1).astype(np.float32)


def keep_cells(truth: Truth, cells: Cells) -> Truth:
    """Returns the truth in which findings outside of some cells (N, findings) are not known."""
    return np.where(cells, truth, np.nan) if are_findings(truth) else truth


def target_table(truth: Truth) -> npt.NDArray[np.float32]:
    """Returns (N, targets): 1 for what is true of an image, 0 else, 0.5 where that is not known.

    Of classes there are as many columns as the highest number says.
    """
    if not are_findings(truth):
        return np.eye(int(truth.max(initial=0)) + 1, dtype=np.float32)[truth]
    return np.where(np.isnan(truth), 0.5, truth).astype(np.float32)


def images_of_targets(truth: Truth, targets: int) -> list[int]:
    """Returns (targets,) how many images are of each class, or have each finding."""
    if are_findings(truth):
        return [int(count) for count in (truth == 1).sum(axis=0)]
    return [int(count) for count in np.bincount(truth, minlength=targets)]


def scores_of_targets(truth: Truth, probabilities: Floats) -> Values:
    """Returns (targets,) the recall of each class, or the AUC of each finding.

    NaN of a class without images and of a finding that all known images have, or none. Their mean
    is the balanced accuracy, or the mean column-wise AUC.
    """
    if are_findings(truth):
        return auc_of_findings(truth, probabilities)
    count, classes = probabilities.shape[1], truth.astype(np.intp)
    right = np.bincount(classes, probabilities.argmax(axis=1) == classes, minlength=count)
    images = np.bincount(classes, minlength=count)
    return np.asarray(np.divide(right, images, out=np.full(count, np.nan), where=images > 0))


def mean_known(values: Floats) -> float:
    """Returns the mean of the values that are no NaN; NaN where none is known."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def score_title(truth: Truth) -> str:
    """Returns what the mean of the targets' scores is called."""
    return "mean AUC" if are_findings(truth) else "balanced accuracy"


def chance_of(truth: Truth) -> float:
    """Returns that mean of guesses."""
    return 0.5 if are_findings(truth) else 1 / len(np.unique(truth))
