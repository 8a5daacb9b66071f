"""Folds and test sets of findings: groups whole, and each of them with every kind of image."""

import numpy as np
import pytest

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.findings import truth_of_findings
from kagglecxr.data.finding_splits import fold_findings, hold_out_findings

NAMES = ["Edema", "Mass"]
CELLS = (["Edema"] * 6 + ["Edema|Mass"] * 3 + ["?Mass"] * 3 + ["No Finding"] * 12) * 5
GROUPS = [f"patient {n // 2}" for n in range(len(CELLS))]
SOURCES = ["here", "here", "there", "there"] * (len(CELLS) // 4)


def test_folds_are_even_in_all_of_it() -> None:
    fold = fold_findings(CELLS, NAMES, GROUPS, SOURCES, 3, 0)
    truth = truth_of_findings(CELLS, NAMES)
    kinds = [truth[:, 0] == 1, truth[:, 1] == 1, np.isnan(truth[:, 1]), np.array(SOURCES) == "here"]
    for kind in [*kinds, (truth == 0).all(axis=1), np.ones(len(CELLS), bool)]:
        counts = np.bincount(fold[kind], minlength=3)
        # A patient has two images.
        assert counts.max() - counts.min() <= 2
    assert len({(group, number) for group, number in zip(GROUPS, fold, strict=True)}) == 60


def test_a_test_set_has_its_share() -> None:
    drawn = hold_out_findings(CELLS, NAMES, GROUPS, SOURCES, 0.2, 0)
    assert drawn.sum() == len(CELLS) // 5
    truth = truth_of_findings(CELLS, NAMES)
    assert abs((truth[drawn, 0] == 1).sum() - 9) <= 1


def test_what_cannot_be_split_is_told() -> None:
    with pytest.raises(DataError, match="2 groups for 3 folds"):
        fold_findings(["Mass", ""], NAMES, ["a", "b"], ["", ""], 3, 0)
    with pytest.raises(SettingError, match="At least 2 folds"):
        fold_findings(CELLS, NAMES, GROUPS, SOURCES, 1, 0)
    with pytest.raises(SettingError, match="above 0"):
        hold_out_findings(CELLS, NAMES, GROUPS, SOURCES, 0.0, 0)
    with pytest.raises(DataError, match="two patients"):
        hold_out_findings(["Mass", ""], NAMES, ["a", "a"], ["", ""], 0.2, 0)
