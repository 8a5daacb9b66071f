"""Stratified splits that keep groups whole, and the check that they did."""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from kagglecxr.core.errors import DataError, LeakError, SettingError, shorten

Fold = npt.NDArray[np.intp]


class TooFewGroupsError(DataError):
    """A class that has too few patients or groups to be split."""

    def __init__(self, label: str, groups: int, wanted: str, *, of_test_set: bool = False) -> None:
        self.label, self.groups, self.of_test_set = label, groups, of_test_set
        super().__init__(
            f"A class has too few patients or groups. Received: class {label!r} with {groups} "
            f"groups for {wanted}. Use fewer folds or add images."
        )


def make_folds(
    labels: list[str], groups: list[str], sources: list[str], folds: int, seed: int
) -> Fold:
    """Splits images into folds, stratified by label and source, with whole groups.

    Labels, groups and sources are (N,), one per image; an unknown source is empty.

    Returns:
        (N,) int, the fold of each image, 0 to folds - 1.

    Raises:
        SettingError: fewer than two folds.
        TooFewGroupsError: a class has fewer groups than there are folds.
    """
    if folds < 2:
        raise SettingError(f"At least 2 folds are needed. Received: {folds}. Use 5.")
    table = pd.DataFrame({"label": labels, "group": groups, "source": sources})
    by_class = table.groupby("label")["group"].nunique()
    few = by_class[by_class < folds]
    if len(few):
        raise TooFewGroupsError(str(few.index[0]), int(few.iloc[0]), f"{folds} folds")
    # A source too rare in its class to be in every fold is merged with the class's main source.
    count = table.groupby(["label", "source"])["group"].transform("size")
    main = table["label"].map(table.groupby("label")["source"].agg(lambda s: s.mode()[0]))
    stratum = table["label"] + "\n" + table["source"].where(count >= folds, main)
    fold = np.empty(len(table), np.intp)
    splitter = StratifiedGroupKFold(folds)
    for number, (_, held_out) in enumerate(splitter.split(table, stratum, _shuffled(groups, seed))):
        fold[held_out] = number
    return fold


def _shuffled(groups: list[str], seed: int) -> npt.NDArray[np.intp]:
    """Numbers the groups in random order, in which the splitter then assigns them to folds.

    scikit-learn from 1.8 on shuffles in exactly this way; before, shuffling mixes up the groups'
    labels. With this the folds are stratified and the same for every version.
    """
    names, number = np.unique(np.array(groups, dtype=object), return_inverse=True)
    order = np.random.RandomState(seed).permutation(len(names))
    return np.asarray(np.argsort(order)[number], np.intp)


def hold_out(
    labels: list[str], groups: list[str], sources: list[str], share: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Draws a stratified holdout of about `share` of the images, with whole groups.

    Args are those of `make_folds`; the share, above 0 and at most 0.5, is rounded to a fraction
    with a denominator of at most 20.

    Returns:
        (N,) bool, whether each image is held out.
    """
    if not 0.0 < share <= 0.5:
        raise SettingError(
            f"A held-out share must be above 0 and at most 0.5. Received: {share}. "
            "Use 0.2, or 0 for no test set."
        )
    fraction = Fraction(share).limit_denominator(20)
    fraction = max(fraction, Fraction(1, 20))
    try:
        fold = make_folds(labels, groups, sources, fraction.denominator, seed)
    except TooFewGroupsError as error:
        wanted = f"a test set of {share}, which needs {fraction.denominator}"
        raise TooFewGroupsError(error.label, error.groups, wanted, of_test_set=True) from error
    return fold < fraction.numerator


def assert_disjoint(parts: Mapping[str, list[str]]) -> None:
    """Raises a LeakError if two parts, given by their names and groups, share a group.

    >>> assert_disjoint({"train": ["a", "b"], "validation": ["c"]})
    """
    names = list(parts)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            shared = sorted(set(parts[one]) & set(parts[other]))
            if shared:
                raise LeakError(
                    f"Images of one patient or duplicate group are in both {one} and {other}. "
                    f"Received: {len(shared)} such groups, {shorten(shared)}. Run prepare again "
                    "to split by group."
                )
