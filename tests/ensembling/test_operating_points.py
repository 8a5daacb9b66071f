"""Operating points by hand, and the thresholds chosen on other folds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError
from kagglecxr.ensembling.operating_points import nested_operating_points, operating_points


def test_operating_points_are_as_counted_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05], np.float32)
    is_target = np.array([1, 1, 0, 1, 0, 1, 0, 0, 0, 0], bool)
    table = operating_points(is_target, scores, (0.6, 0.8, 0.84, 1.0))
    assert table["threshold"].to_numpy() == pytest.approx([0.4, 0.6, 0.8, 0.8])
    assert table["sensitivity"].tolist() == [1.0, 0.75, 0.5, 0.5]
    assert table["specificity"].to_numpy() == pytest.approx([4 / 6, 5 / 6, 1.0, 1.0])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.floats(0.05, 1.0))
def test_no_other_threshold_is_more_sensitive_and_as_specific(seed: int, wanted: float) -> None:
    random = np.random.default_rng(seed)
    is_target = np.append(random.random(20) < 0.4, [True, False])
    scores = random.integers(0, 8, 22) / 8
    point = operating_points(is_target, scores, (wanted,)).iloc[0]
    decided = scores >= point["threshold"]
    assert decided[is_target].mean() == pytest.approx(point["sensitivity"])
    assert 1 - decided[~is_target].mean() == pytest.approx(point["specificity"])
    assert point["specificity"] >= wanted - 1e-9
    for threshold in np.arange(10) / 8:
        other = scores >= threshold
        if 1 - other[~is_target].mean() >= wanted:
            assert other[is_target].mean() <= point["sensitivity"]


def test_thresholds_chosen_on_other_folds_are_shown_beside_the_own() -> None:
    scores = np.array([0.1, 0.4, 0.8, 0.9, 0.2, 0.5, 0.6, 0.7])
    is_target = np.array([0, 0, 1, 1, 0, 0, 1, 1], bool)
    folds = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    table = nested_operating_points(is_target, scores, folds, (1.0,))
    # Fold 1's threshold is 0.8, above all its images; fold 0's is 0.6.
    assert table.iloc[0].to_dict() == {
        "min_specificity": 1.0,
        "threshold": 0.6,
        "sensitivity": 1.0,
        "specificity": 1.0,
        "nested_sensitivity": 0.5,
        "nested_specificity": 1.0,
    }
    assert operating_points(is_target, scores)["min_specificity"].tolist() == [0.8, 0.9, 0.95]


@pytest.mark.parametrize("value", [True, False])
def test_images_of_one_kind_have_no_operating_points(value: bool) -> None:
    with pytest.raises(DataError, match="of 3 are of it"):
        operating_points(np.full(3, value), np.array([0.1, 0.2, 0.3]))
