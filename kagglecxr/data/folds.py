"""Splits that never part a group, and the check that none did."""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from kagglecxr.core.errors import DataError, LeakError, SettingError, shorten

Fold = npt.NDArray[np.intp]


def make_folds(
    labels: list[str], groups: list[str], sources: list[str], folds: int, seed: int
) -> Fold:
    """The fold (0 to folds - 1) of each image: stratified by label and source, groups whole.

    Args:
        labels: the class of each image, (N,).
        groups: its group, (N,).
        sources: where it comes from, (N,); empty where unknown.
        folds: how many.
        seed: fixes the split.

    Raises:
        SettingError: fewer than two folds.
        DataError: a class has fewer groups than there are folds.
    """
    if folds < 2:
        raise SettingError(f"At least 2 folds are needed. Received: {folds}. Ask for more.")
    table = pd.DataFrame({"label": labels, "group": groups, "source": sources})
    by_class = table.groupby("label")["group"].nunique()
    few = by_class[by_class < folds]
    if len(few):
        raise DataError(
            f"A class has fewer patients or groups than there are folds. Received: class "
            f"{few.index[0]!r} with {few.iloc[0]} groups for {folds} folds. Use fewer folds or "
            "add images."
        )
    # A source too rare in its class to reach every fold goes with that class's main source.
    count = table.groupby(["label", "source"])["group"].transform("size")
    main = table["label"].map(table.groupby("label")["source"].agg(lambda s: s.mode()[0]))
    stratum = table["label"] + "\n" + table["source"].where(count >= folds, main)
    fold = np.empty(len(table), np.intp)
    splitter = StratifiedGroupKFold(folds)
    for number, (_, held_out) in enumerate(splitter.split(table, stratum, _shuffled(groups, seed))):
        fold[held_out] = number
    return fold


def _shuffled(groups: list[str], seed: int) -> npt.NDArray[np.intp]:
    """Each row's group as a number by chance, which decides the order in which folds take them.

    Told to shuffle, scikit-learn before 1.8 deals out one group's images by another's labels; later
    ones do exactly this. So the folds are the same on every machine, and stratified.
    """
    names, number = np.unique(np.array(groups, dtype=object), return_inverse=True)
    order = np.random.RandomState(seed).permutation(len(names))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return np.asarray(place[number], np.intp)


def hold_out(
    labels: list[str], groups: list[str], sources: list[str], share: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Which images a held-out part of about `share` takes: stratified, groups whole.

    Args:
        labels: the class of each image, (N,).
        groups: its group, (N,).
        sources: where it comes from, (N,).
        share: between 0 and 0.5, met to the nearest fraction with a denominator up to 20.
        seed: fixes the split.

    Raises:
        SettingError: the share is out of range.
    """
    if not 0.0 < share <= 0.5:
        raise SettingError(
            f"A held-out share lies above 0 and at most 0.5. Received: {share}. "
            "Use 0.2, or 0 for no test part."
        )
    fraction = Fraction(share).limit_denominator(20)
    fraction = max(fraction, Fraction(1, 20))
    fold = make_folds(labels, groups, sources, fraction.denominator, seed)
    return fold < fraction.numerator


def assert_disjoint(parts: Mapping[str, list[str]]) -> None:
    """Refuses parts that share a group.

    Args:
        parts: the groups of each named part, as "train" and "validation".

    Raises:
        LeakError: naming the parts and some of the groups they share.

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
