"""The gap is that of the definition, and its interval knows that backgrounds are lent again."""

import numpy as np
import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.shortcuts.background_gap import gap_of, measure_background_gap
from kagglecxr.shortcuts.background_swap import Swaps
from tests.shortcuts.drawn_chests import PixelReader, drawn_chests


def random() -> np.random.Generator:
    return np.random.default_rng(1)


def test_shares_and_gap_by_hand() -> None:
    swaps = Swaps(np.array([0, 0, 1, 1, 2, 2]), np.array([2, 1, 0, 3, 0, 1]))
    classes, groups = np.array([0, 1, 0, 1]), np.array(list("abcd"), object)
    sure = np.array([0.9, 0.4, 0.2, 0.8, 0.7, 0.6])
    lungs = classes[swaps.lungs]
    probabilities = np.where(lungs[:, None] == [0, 1], sure[:, None], 1 - sure[:, None])
    found = gap_of(probabilities, swaps, classes, groups, 1, random())
    np.testing.assert_allclose(found.right, [[1, 0.5], [0, 1]])
    assert (found.same, found.other) == (1.0, 0.25)
    assert found.accuracy.score == pytest.approx(0.75)
    assert found.certainty.score == pytest.approx((0.8 + 0.8) / 2 - (0.5 + 0.2) / 2)
    assert found.images == 3


@pytest.mark.parametrize(("reads_corner", "gap"), [(True, 1.0), (False, 0.0)])
def test_a_net_that_reads_the_corner_has_a_gap_and_one_that_reads_lungs_has_none(
    reads_corner: bool, gap: float
) -> None:
    audited = drawn_chests(corner=1.0)
    found = measure_background_gap(audited, PixelReader(reads_corner), random(), Silent())  # type: ignore[arg-type]
    assert found is not None
    assert found.accuracy.score == pytest.approx(gap, abs=0.02)
    assert (found.certainty.low > 0.2) == reads_corner


def test_the_interval_is_wider_where_few_images_lend_their_background_to_many() -> None:
    number = 40
    classes = np.arange(number) % 2
    groups = np.array([str(n) for n in range(number)], object)
    lungs = np.repeat(np.arange(number), 2)
    # What is said depends on the background alone, by nothing that has to do with its class.
    odd = np.random.default_rng(0).random(number) < 0.5
    widths = []
    for lent in (np.arange(number), np.arange(number) % 4):
        background = np.stack([lent, (lent + 1) % number], axis=1).ravel()
        said = odd[background].astype(np.float64)
        probabilities = np.stack([1 - said, said], axis=1)
        found = gap_of(probabilities, Swaps(lungs, background), classes, groups, 1, random())
        widths.append(found.accuracy.high - found.accuracy.low)
    assert widths[1] > 1.3 * widths[0]


def test_without_another_patient_there_is_no_gap() -> None:
    audited = drawn_chests(4, corner=1.0, patients=1)
    assert measure_background_gap(audited, PixelReader(True), random(), Silent()) is None  # type: ignore[arg-type]
