"""Cleaned masks: two parts, no holes, and only where that helps."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nst
from scipy.ndimage import binary_fill_holes, label

from kagglecxr.segmentation.cleaning import clean_mask, count_parts, judge_cleaning

Mask = npt.NDArray[np.bool_]
EIGHT = np.ones((3, 3))
MASKS = nst.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def drawn(*lines: str) -> Mask:
    return np.array([[cell == "#" for cell in line] for line in lines])


TWO_LUNGS = drawn(
    "..........",
    ".###.####.",
    ".###.####.",
    "..........",
    "..........",
)


def test_of_three_parts_the_smallest_is_removed() -> None:
    speck = drawn(
        "#.........",
        "..###.####",
        "..###.####",
        "..........",
    )
    without = speck.copy()
    without[0, 0] = False
    assert count_parts(speck) == 3
    np.testing.assert_array_equal(clean_mask(speck), without)


def test_parts_that_touch_at_a_corner_are_one() -> None:
    corner = drawn(
        "##......",
        "..##....",
        ".....###",
        "#.......",
    )
    assert count_parts(corner) == 2 + 1
    assert not clean_mask(corner)[3, 0]
    assert clean_mask(corner).sum() == corner.sum() - 1


def test_of_equal_parts_the_first_two_are_kept() -> None:
    assert clean_mask(drawn("#.#.#")).tolist() == [[True, False, True, False, False]]


def test_holes_are_filled_and_bays_are_not() -> None:
    holed = drawn(
        "#####...",
        "#...#...",
        "#.#.#...",
        "#####...",
        "........",
        "###.###.",
        "#.....#.",
        "#######.",
    )
    filled = clean_mask(holed)
    assert filled[:4, :5].all()
    np.testing.assert_array_equal(filled[4:], holed[4:])


def test_an_empty_mask_stays_empty() -> None:
    empty = np.zeros((4, 5), bool)
    assert count_parts(empty) == 0
    assert not clean_mask(empty).any()


def test_a_full_mask_stays_full() -> None:
    assert clean_mask(np.ones((4, 5), bool)).all()


@settings(deadline=None)
@given(MASKS)
def test_parts_are_removed_whole_and_nothing_but_holes_is_added(mask: Mask) -> None:
    cleaned = clean_mask(mask)
    parts, count = label(mask, EIGHT)
    kept = np.unique(parts[cleaned & mask])
    np.testing.assert_array_equal(cleaned, binary_fill_holes(np.isin(parts, kept[kept > 0])))
    assert label(cleaned, EIGHT)[1] <= min(count, 2)
    # What lies in a hole of a kept part is filled with it, and may be less than was removed.
    areas = sorted(np.bincount(parts.ravel())[1:].tolist())
    assert sum(areas[-2:]) <= cleaned.sum()
    np.testing.assert_array_equal(clean_mask(cleaned), cleaned)


def test_cleaning_helps_where_specks_were_predicted() -> None:
    speck = TWO_LUNGS.copy()
    speck[4, 0] = True
    gain = judge_cleaning(speck[None], TWO_LUNGS[None])
    assert (gain.before, gain.after) == (pytest.approx(28 / 29), 1.0)
    assert gain.helps
    assert "from 0.9655 to 1.0000: masks are cleaned." in gain.describe()


def test_cleaning_does_not_help_where_lungs_are_in_parts() -> None:
    parts = TWO_LUNGS.copy()
    parts[:, 7] = False
    gain = judge_cleaning(np.stack([parts] * 2), np.stack([parts] * 2))
    assert gain.before == 1.0
    assert not gain.helps
    assert "masks are left as predicted." in gain.describe()


def test_masks_that_are_clean_are_left_alone() -> None:
    assert not judge_cleaning(TWO_LUNGS[None], TWO_LUNGS[None]).helps
