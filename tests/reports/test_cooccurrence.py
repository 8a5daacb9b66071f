"""Findings that stand together: counted where known, and drawn as counted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kagglecxr.reports.cooccurrence import (
    cooccurrence_counts,
    cooccurrence_shares,
    share_heatmaps,
)

CELLS = st.sampled_from([0.0, 1.0, np.nan])
TABLES = st.tuples(st.integers(1, 20), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(*[arrays.arrays(np.float64, shape, elements=CELLS)] * 2)
)
TRUTH = np.array([[1, 0], [1, 1], [1, np.nan], [0, 1]], float)


@given(TABLES)
def test_counts_are_those_of_a_loop_over_the_cells(tables: tuple[np.ndarray, np.ndarray]) -> None:
    truth, others = tables
    both, known = cooccurrence_counts(truth, others)
    for row, column in np.ndindex(*both.shape):
        pairs = [
            (bool(other[column] == 1))
            for here, other in zip(truth, others, strict=True)
            if here[row] == 1 and not np.isnan(here[column]) and not np.isnan(other[column])
        ]
        assert (both[row, column], known[row, column]) == (sum(pairs), len(pairs))


@settings(deadline=None)
@given(TABLES)
def test_pairs_are_counted_alike_from_both_sides(tables: tuple[np.ndarray, np.ndarray]) -> None:
    truth, _ = tables
    both, known = cooccurrence_counts(truth, truth)
    assert np.array_equal(both, both.T)
    assert (both <= known).all()
    shares = cooccurrence_shares(truth, truth)
    assert np.array_equal(np.isnan(shares), known == 0)
    has_any = (truth == 1).any(axis=0)
    assert (np.diag(shares)[has_any] == 1).all()


def test_an_image_whose_other_finding_is_not_known_is_in_no_share() -> None:
    assert cooccurrence_shares(TRUTH, TRUTH).tolist() == [[1.0, 0.5], [0.5, 1.0]]


def test_predictions_of_what_is_not_known_are_in_no_share_either() -> None:
    said = np.array([[1, 0], [0, 1], [1, 1], [0, 1]], float)
    assert cooccurrence_shares(TRUTH, said)[0] == pytest.approx([2 / 3, 1 / 2])


def test_each_table_has_a_panel_and_each_share_its_digits() -> None:
    shares = np.array([[1.0, np.nan, 0.5], [0.25, 0.0, 0.7]])
    panels = {"true": shares, "predicted": shares[:, ::-1]}
    figure = share_heatmaps(panels, ["a", "b"], ["x", "y", "z"], "share")
    titles = [axes.get_title() for axes in figure.axes[:2]]
    assert titles == ["true", "predicted"]
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes[:2]]
    assert texts[0] == ["1.00", ".50", ".25", ".00", ".70"]
    np.testing.assert_array_equal(np.asarray(figure.axes[0].images[0].get_array()), shares)
