"""Parts of an image are exactly what is left of it."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.shortcuts.regions import (
    background_only,
    lung_shapes,
    lungs_only,
    with_margin,
    without_edge,
)
from tests.shortcuts.drawn_chests import SIDE, drawn_chests, lungs_at


@given(st.integers(0, 20), st.integers(0, 18), st.sampled_from([1, 3]))
def test_lungs_and_background_make_the_image(top: int, left: int, channels: int) -> None:
    random = np.random.default_rng(top)
    images = random.integers(1, 256, (1, SIDE, SIDE, channels), np.uint8)
    lungs = lungs_at(top, left)[None]
    inside, outside = lungs_only(images, lungs), background_only(images, lungs)
    np.testing.assert_array_equal(np.maximum(inside, outside), images)
    assert not ((inside > 0) & (outside > 0)).any()
    assert (inside[lungs] == images[lungs]).all()


def test_the_margin_is_4_percent_of_the_side_in_every_direction() -> None:
    lungs = np.zeros((1, 100, 100), np.bool_)
    lungs[0, 50, 50] = True
    grown = with_margin(lungs)[0]
    assert grown[46:55, 50].all()
    assert grown[50, 46:55].all()
    assert not grown[[45, 55], 50].any()
    assert grown.sum() < 81


def test_a_shape_says_nothing_of_the_image() -> None:
    lungs = lungs_at(10, 9)[None]
    dark, bright = (np.full((1, SIDE, SIDE, 1), grey, np.uint8) for grey in (0, 200))
    np.testing.assert_array_equal(lung_shapes(dark, lungs), lung_shapes(bright, lungs))
    assert (lung_shapes(dark, lungs)[lungs] == 255).all()


def test_lettering_beside_the_lungs_is_painted_over_and_that_on_them_is_kept() -> None:
    lungs = cv2.resize(lungs_at(10, 9).astype(np.uint8), (200, 200)) > 0
    smooth = np.where(lungs, 40, 100).astype(np.uint8)
    written = smooth.copy()
    rows, columns = np.flatnonzero(lungs.any(axis=1)), np.flatnonzero(lungs.any(axis=0))
    # Between both lungs, and in the left one.
    middle = (int(columns.mean()), int(rows.mean()))
    for place in (middle, (int(columns[0]) + 8, int(rows.mean()))):
        cv2.putText(written, "R", place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 200, 1)
    left = without_edge(written[None, ..., None], lungs[None])[0, ..., 0]
    outside = left[rows[0] : rows[-1], columns[0] : columns[-1]]
    is_lung = lungs[rows[0] : rows[-1], columns[0] : columns[-1]]
    assert outside[~is_lung].max() < 130
    np.testing.assert_array_equal(left[lungs], written[lungs])


def test_what_is_far_from_the_lungs_is_black() -> None:
    audited = drawn_chests(2, corner=1.0)
    left = without_edge(audited.images, audited.lungs)[1, ..., 0]
    assert (audited.images[1, :5, :5] == 250).all()
    assert not left[:5, :5].any()
    assert not left[-4:].any()
