"""Colours cover an image where the map is high, and nowhere else."""

import numpy as np

from kagglecxr.saliency.overlays import CONTOUR, outline, overlay, scaled


def test_the_largest_is_one_and_an_outlier_does_not_hide_the_rest() -> None:
    one = np.full((50, 50), 2.0, np.float32)
    one[0, 0] = 1000
    assert scaled(one)[5, 5] == 1
    assert scaled(-one)[5, 5] == -1
    one[:] = 0
    assert not scaled(one).any()
    one[0, 0] = -3
    assert scaled(one)[0, 0] == -1


def test_a_map_of_zeros_leaves_the_image() -> None:
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for signed in (False, True):
        drawn = overlay(image, np.zeros((8, 8), np.float32), signed=signed)
        np.testing.assert_array_equal(drawn, np.repeat(image[..., None], 3, axis=-1))


def test_red_is_for_the_class_and_blue_against_it() -> None:
    one = np.zeros((60, 60), np.float32)
    one[10:20, 10:20], one[40:50, 40:50] = 1, -1
    drawn = overlay(np.full((60, 60), 128, np.uint8), one, signed=True).astype(int)
    red, blue = drawn[15, 15], drawn[45, 45]
    assert red[0] > red[2] + 30
    assert blue[2] > blue[0] + 30
    assert drawn[30, 5].tolist() == [128, 128, 128]


def test_a_contour_goes_around_the_lungs() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 255
    image = np.zeros((40, 40, 3), np.uint8)
    drawn = outline(image, mask)
    assert not image.any()
    found = (drawn == CONTOUR).all(axis=-1)
    assert found[10, 20]
    assert not found[20, 20]
    assert not found[:9].any()
