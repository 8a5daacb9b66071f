"""Overlaps of masks: by hand, at the limits, and against scikit-learn."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nst
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    jaccard_score,
    precision_score,
    recall_score,
)

from kagglecxr.core.mask_metrics import MASK_METRICS, count_overlap

Masks = npt.NDArray[np.bool_]

ORACLES = {
    "iou": jaccard_score,
    "dice": f1_score,
    "precision": precision_score,
    "recall": recall_score,
    "accuracy": accuracy_score,
}


def scores(predicted: Masks, true: Masks) -> dict[str, list[float]]:
    counts = count_overlap(predicted, true)
    return {name: MASK_METRICS[name](counts).tolist() for name in MASK_METRICS.names()}


def test_pixels_are_counted_an_image_at_a_time() -> None:
    predicted = np.array([[[1, 1, 0], [0, 1, 0]], [[0, 0, 0], [1, 1, 1]]], bool)
    true = np.array([[[1, 0, 0], [1, 1, 0]], [[0, 0, 0], [0, 0, 1]]], bool)
    counts = count_overlap(predicted, true)
    assert counts.both.tolist() == [2, 1]
    assert counts.only_predicted.tolist() == [1, 2]
    assert counts.only_true.tolist() == [1, 0]
    assert counts.neither.tolist() == [2, 3]


def test_scores_are_the_shares_that_one_counts_by_hand() -> None:
    # Both masks share one pixel; two more are predicted, and one of the true ones is missed.
    predicted, true = np.zeros((2, 1, 2, 4), bool)
    predicted[0, 0, :3] = True
    true[0, 0, 2:] = True
    assert scores(predicted, true) == {
        "iou": [1 / 4],
        "dice": [2 / 5],
        "precision": [1 / 3],
        "recall": [1 / 2],
        "accuracy": [5 / 8],
    }


@pytest.mark.parametrize(
    ("predicted", "true", "overlap", "accuracy"),
    [(False, False, 1.0, 1.0), (True, False, 0.0, 0.0), (False, True, 0.0, 0.0)],
)
def test_two_empty_masks_are_right_and_one_is_wrong(
    predicted: bool, true: bool, overlap: float, accuracy: float
) -> None:
    found = scores(np.full((1, 3, 4), predicted), np.full((1, 3, 4), true))
    assert found.pop("accuracy") == [accuracy]
    assert found == {name: [overlap] for name in ("iou", "dice", "precision", "recall")}


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_scores_are_scikit_learns_of_all_pixels(data: st.DataObject) -> None:
    shape = (2, *data.draw(nst.array_shapes(min_dims=2, max_dims=2, max_side=5)))
    predicted, true = (data.draw(nst.arrays(np.bool_, shape)) for _ in range(2))
    found = scores(predicted, true)
    assert found.keys() == ORACLES.keys()
    for name, oracle in ORACLES.items():
        for image, (one, other) in enumerate(zip(predicted, true, strict=True)):
            if name != "accuracy" and not (one.any() and other.any()):
                expected = float(one.any() == other.any())
            else:
                expected = oracle(other.ravel(), one.ravel())
            assert found[name][image] == pytest.approx(expected)
