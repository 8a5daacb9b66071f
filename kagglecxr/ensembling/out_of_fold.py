"""Out-of-fold predictions of several runs, refused where they do not belong together."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.metrics import Truth
from kagglecxr.core.run_record import OOF
from kagglecxr.data.prepared import PreparedData
from kagglecxr.ensembling.activations import ActivationName, activation_of
from kagglecxr.ensembling.blend_selection import OutOfFold
from kagglecxr.inference.predictions import Predictions

_TOLERANCE = 1e-3
"""How far the sum of a row may be from 1: half precision adds up to less."""


def has_out_of_fold(run: Path) -> bool:
    """Whether a run has them: the mean of a run's folds has not, for it has seen all images."""
    return (run / OOF).is_file()


def align_out_of_fold(predictions: Mapping[Path, Predictions], prepared: PreparedData) -> OutOfFold:
    """Puts predictions of runs, by their file in each run's folder, in the index's order.

    Raises:
        DataError: predictions of other images, of other targets or in another order of them, or
            rows that are no probabilities.
    """
    ids = prepared.index.column("id", prepared.index.rows("train"))
    truth = prepared.truth()
    targets = len(prepared.competition.targets())
    arrays = [_aligned(*one, ids, truth, targets) for one in predictions.items()]
    return OutOfFold(
        [path.parent.name for path in predictions], np.stack(arrays), truth, prepared.fold,
        prepared.groups(),
    )  # fmt: skip


def _aligned(
    path: Path,
    predictions: Predictions,
    ids: list[str],
    truth: Truth,
    targets: int,
) -> npt.NDArray[np.float64]:
    if set(predictions.ids.tolist()) != set(ids) or len(predictions.ids) != len(ids):
        strange = sorted(set(predictions.ids.tolist()) ^ set(ids))
        raise DataError(
            f"Out-of-fold predictions are of other images than those prepared now. Received: "
            f"{path} with {len(predictions.ids)} of {len(ids)} images; not in both are "
            f"{shorten(strange)}. Train that run again, or leave it out."
        )
    row = {name: i for i, name in enumerate(predictions.ids.tolist())}
    order = [row[name] for name in ids]
    if predictions.probabilities.shape != (len(ids), targets) or not np.array_equal(
        predictions.truth[order], truth, equal_nan=True
    ):
        raise DataError(
            f"Out-of-fold predictions are of other targets, or have them in another order. "
            f"Received: {path} with {predictions.probabilities.shape[-1]} columns for {targets} "
            "targets. Train that run again, or leave it out."
        )
    probabilities = predictions.probabilities[order].astype(np.float64)
    check_probabilities(probabilities, path, activation_of(truth))
    return probabilities


def check_probabilities(
    probabilities: npt.NDArray[np.floating], path: Path, activation: ActivationName
) -> None:
    """Refuses rows (N, targets) that are not from 0 to 1 or, of classes, do not sum to 1.

    Raises:
        DataError: there are such rows, or numbers that are not finite.
    """
    are_classes = activation == "softmax"
    is_valid = np.isfinite(probabilities).all(axis=1)
    is_valid &= ((probabilities >= 0) & (probabilities <= 1 + _TOLERANCE)).all(axis=1)
    if are_classes:
        is_valid &= np.abs(np.where(is_valid, probabilities.sum(axis=1), 0.0) - 1.0) < _TOLERANCE
    if not is_valid.all():
        wrong = probabilities[~is_valid]
        raise DataError(
            f"Predictions are no probabilities{' that sum to 1' if are_classes else ''}. Received: "
            f"{path} with {len(wrong)} such rows, the first "
            f"{np.round(wrong[0], 4).tolist()}. Train that run again, or leave it out."
        )
