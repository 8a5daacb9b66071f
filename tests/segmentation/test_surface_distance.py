"""Distances between borders: of shifted squares, of masks that are no area, and by brute force."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nst
from scipy.spatial.distance import cdist

from kagglecxr.segmentation.surface_distance import surface_distance

Mask = npt.NDArray[np.bool_]
MASKS = nst.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def square(left: int, side: int, shape: tuple[int, int] = (20, 30)) -> Mask:
    mask = np.zeros(shape, bool)
    mask[5 : 5 + side, left : left + side] = True
    return mask


def border(mask: Mask) -> npt.NDArray[np.intp]:
    """The pixels of a mask that have a neighbour above, below or beside them outside of it."""
    around = np.pad(mask, 1)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return np.argwhere(mask & ~inner)


@pytest.mark.parametrize("shift", [0, 1, 2, 4])
def test_a_squares_farthest_edge_is_as_far_as_it_was_shifted(shift: int) -> None:
    found = surface_distance(square(6 + shift, 10), square(6, 10))
    assert found.hausdorff95 == shift
    assert (found.mean == 0) == (shift == 0)
    assert found.mean <= shift


def test_of_single_pixels_both_distances_are_the_one_between_them() -> None:
    found = surface_distance(square(3, 1), square(7, 1))
    assert found.hausdorff95 == found.mean == 4


def test_both_directions_count_in_the_mean() -> None:
    # A line of five pixels and its first one: 0 1 2 3 4 one way, 0 the other.
    line, point = np.zeros((2, 3, 5), bool)
    line[1], point[1, 0] = True, True
    found = surface_distance(line, point)
    assert found.mean == pytest.approx(10 / 6)
    assert found.hausdorff95 == pytest.approx(3.8)


def test_two_empty_masks_agree_and_one_is_the_diagonal_away() -> None:
    empty = np.zeros((30, 40), bool)
    assert surface_distance(empty, empty).hausdorff95 == 0
    for pair in ((empty, square(3, 4, (30, 40))), (square(3, 4, (30, 40)), empty)):
        found = surface_distance(*pair)
        assert found.hausdorff95 == found.mean == 50


@settings(deadline=None, max_examples=60)
@given(st.data(), MASKS)
def test_distances_are_those_of_every_pair_of_border_pixels(
    data: st.DataObject, predicted: Mask
) -> None:
    true = data.draw(nst.arrays(np.bool_, predicted.shape))
    found = surface_distance(predicted, true)
    turned = surface_distance(true, predicted)
    assert turned.hausdorff95 == found.hausdorff95
    assert turned.mean == pytest.approx(found.mean)
    if not (predicted.any() and true.any()):
        return
    pairs = cdist(border(predicted), border(true))
    nearest = [pairs.min(axis=1), pairs.min(axis=0)]
    assert found.hausdorff95 == pytest.approx(max(np.percentile(d, 95) for d in nearest))
    assert found.mean == pytest.approx(np.concatenate(nearest).mean())
    assert found.hausdorff95 <= max(d.max() for d in nearest)
