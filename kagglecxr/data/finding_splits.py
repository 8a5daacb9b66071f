"""Folds and test sets of images with several findings each."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.findings import truth_of_findings
from kagglecxr.data.folds import Fold
from kagglecxr.data.stratification import stratify_groups


def fold_findings(
    labels: Sequence[str],
    names: Sequence[str],
    groups: Sequence[str],
    sources: Sequence[str],
    folds: int,
    seed: int,
) -> Fold:
    """Splits images into folds with whole groups, even in findings, in none of them, and sources.

    Args:
        labels: (N,) cells of findings.
        names: the findings.
        groups: (N,) the group of each image.
        sources: (N,) the source of each image; empty where it is not known.
        folds: their number.
        seed: of the choice between equal ones.

    Returns:
        (N,) int, the fold of each image, 0 to folds - 1. A finding with fewer groups than there are
        folds is not in all of them.

    Raises:
        SettingError: fewer than two folds.
        DataError: there are fewer groups than folds.
    """
    if folds < 2:
        raise SettingError(f"At least 2 folds are needed. Received: {folds}. Use 5.")
    if len(set(groups)) < folds:
        raise DataError(
            f"There are fewer patients or groups than folds. Received: {len(set(groups))} groups "
            f"for {folds} folds. Use fewer folds or add images."
        )
    return _split(labels, names, groups, sources, [1 / folds] * folds, seed)


def hold_out_findings(
    labels: Sequence[str],
    names: Sequence[str],
    groups: Sequence[str],
    sources: Sequence[str],
    share: float,
    seed: int,
) -> npt.NDArray[np.bool_]:
    """Draws a holdout of about `share` of the images, as even as `fold_findings`.

    Returns:
        (N,) bool, whether each image is held out.

    Raises:
        SettingError: the share is not above 0 and at most 0.5.
        DataError: all images are of one group.
    """
    if not 0.0 < share <= 0.5:
        raise SettingError(
            f"A held-out share must be above 0 and at most 0.5. Received: {share}. "
            "Use 0.2, or 0 for no test set."
        )
    if len(set(groups)) < 2:
        raise DataError(
            "A test set needs two patients or groups. Received: one. Use --test 0, or add images."
        )
    part = _split(labels, names, groups, sources, [share, 1 - share], seed)
    return np.asarray(part == 0)


def _split(
    labels: Sequence[str],
    names: Sequence[str],
    groups: Sequence[str],
    sources: Sequence[str],
    ratios: Sequence[float],
    seed: int,
) -> Fold:
    truth = truth_of_findings(labels, names)
    present = (truth == 1).astype(np.int64)
    # What is not known is spread evenly, too, and so is the absence of all.
    unknown = np.isnan(truth).astype(np.int64)
    none = ((present + unknown).sum(axis=1) == 0)[:, None]
    _, source = np.unique(np.array(sources, dtype=object), return_inverse=True)
    of_source = np.eye(source.max() + 1, dtype=np.int64)[source]
    columns = np.column_stack([present, unknown, none, of_source])
    return stratify_groups(columns, groups, ratios, np.random.default_rng(seed))
