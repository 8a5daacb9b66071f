"""Lungs are put where lungs are, and every image lends its background about as often."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.shortcuts.background_swap import draw_swaps, swap_background, swapped_images
from kagglecxr.shortcuts.regions import with_margin
from tests.shortcuts.drawn_chests import SIDE, drawn_chests, lungs_at


@given(st.integers(1, 40), st.integers(1, 12), st.integers(2, 4), st.integers(0, 99))
def test_each_image_gets_a_background_of_each_class_of_another_patient(
    number: int, patients: int, count: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    classes = random.integers(count, size=number)
    groups = np.array([f"p{n}" for n in random.integers(patients, size=number)], object)
    usable = random.random(number) < 0.8
    swaps = draw_swaps(classes, groups, usable, 1, random)
    assert usable[swaps.lungs].all()
    assert usable[swaps.background].all()
    assert (groups[swaps.lungs] != groups[swaps.background]).all()
    present = sorted(set(classes[usable].tolist()))
    for one in set(swaps.lungs.tolist()):
        assert classes[swaps.background[swaps.lungs == one]].tolist() == present
    for one in np.flatnonzero(usable):
        others = classes[usable & (groups != groups[one])]
        assert (one in swaps.lungs) == (set(others.tolist()) == set(present))


def test_no_background_counts_much_more_often_than_another() -> None:
    audited = drawn_chests(60, corner=1.0)
    every = np.ones(60, np.bool_)
    swaps = draw_swaps(audited.classes, audited.groups, every, 2, np.random.default_rng(0))
    times = np.bincount(swaps.background, minlength=60)
    assert times.max() - times.min() <= 3


def test_what_is_inside_comes_from_one_image_and_what_is_outside_from_the_other() -> None:
    lungs, other_lungs = lungs_at(2, 3), lungs_at(15, 12)
    image, other = np.random.default_rng(0).integers(110, 130, (2, SIDE, SIDE, 1), np.uint8)
    image[lungs], other[other_lungs] = 30, 90
    both = swap_background(image, lungs, other, other_lungs)[..., 0]
    assert (both[other_lungs] < 60).all()
    outside = ~with_margin(with_margin(other_lungs[None]))[0]
    np.testing.assert_array_equal(both[outside], other[outside, 0])


@pytest.mark.parametrize("border", [0, 3])
def test_lungs_are_exposed_as_what_is_around_them(border: int) -> None:
    random = np.random.default_rng(0)
    lungs = lungs_at(8, 9)
    image = random.integers(90, 110, (SIDE, SIDE, 1)).astype(np.uint8)
    image[lungs] -= 50
    # The same with another exposure, and perhaps a black border as a film has it.
    other = np.rint(255 * (image / 255) ** 0.5).astype(np.uint8)
    if border:
        other[:border], other[-border:] = 0, 0
        other[:, :border], other[:, -border:] = 0, 0
    both = swap_background(image, lungs, other, lungs)[..., 0].astype(np.float64)
    expected = 255 * (image[..., 0] / 255) ** 0.5
    np.testing.assert_allclose(both[lungs], expected[lungs], atol=4)


def test_lungs_fill_the_box_of_those_that_they_replace() -> None:
    image, other = np.random.default_rng(0).integers(0, 20, (2, SIDE, SIDE, 3), np.uint8)
    lungs = np.zeros((SIDE, SIDE), np.bool_)
    lungs[4:12, 6:14] = True
    image[lungs] = 200
    other_lungs = np.zeros_like(lungs)
    other_lungs[10:34, 8:24] = True
    bright = swap_background(image, lungs, other, other_lungs)[..., 1] > 100
    rows, columns = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
    np.testing.assert_allclose(
        [rows[0], rows[-1], columns[0], columns[-1]], [10, 33, 8, 23], atol=1
    )


def test_composed_images_are_in_the_order_of_the_swaps() -> None:
    audited = drawn_chests(6, corner=1.0)
    every = np.ones(6, np.bool_)
    swaps = draw_swaps(audited.classes, audited.groups, every, 2, np.random.default_rng(0))
    composed = swapped_images(audited.images, audited.lungs, swaps)
    corners = audited.images[swaps.background, 0, 0, 0]
    np.testing.assert_array_equal(composed[:, 0, 0, 0], corners)
