"""What parts of an image tell is what they were drawn to tell."""

import numpy as np
import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.shortcuts.region_matrix import AS_TRAINED, RegionMatrix, measure_regions
from kagglecxr.shortcuts.regions import BACKGROUND, LUNGS, SHAPE, VARIANTS, WHOLE
from tests.shortcuts.drawn_chests import PixelReader, drawn_chests


def test_recalls_by_hand() -> None:
    probabilities = np.eye(3, dtype=np.float32)[[0, 1, 1, 1, 0]]
    classes = np.array([0, 0, 1, 1, 1])
    regions = RegionMatrix({("a", "b"): probabilities}, classes, np.array(list("abcde"), object))
    np.testing.assert_allclose(regions.recalls("a", "b"), [0.5, 2 / 3, np.nan])
    found = regions.score("a", "b", np.random.default_rng(0))
    assert found.score == pytest.approx((0.5 + 2 / 3) / 2)


@pytest.mark.parametrize("corner", [1.0, 0.5])
def test_the_background_tells_the_class_where_the_corner_does(corner: float) -> None:
    audited = drawn_chests(corner=corner)
    net = PixelReader(reads_corner=False)
    whole = net.predict(audited.images, audited.folds)
    regions = measure_regions(audited, net, whole, 0, Silent())  # type: ignore[arg-type]
    means = {shown: np.mean(regions.recalls(shown, shown)) for shown in VARIANTS}
    assert means[WHOLE] > 0.9
    assert (means[BACKGROUND] > 0.9) == (corner == 1.0)
    assert means[SHAPE] < 0.75
    assert len(regions.probabilities) == 5 * 6
    np.testing.assert_array_equal(regions.probabilities[AS_TRAINED, WHOLE], whole.probabilities)
    assert np.mean(regions.recalls(LUNGS, LUNGS)) > 0.6


def test_resamples_without_a_class_do_not_count() -> None:
    # Only the images of one class are told: where a resample has no other, it would score 1.
    probabilities = np.eye(2, dtype=np.float32)[[0] * 8]
    groups = np.array(list("aaaaaabc"), object)
    regions = RegionMatrix({("a", "b"): probabilities}, np.array([0] * 6 + [1] * 2), groups)
    found = regions.score("a", "b", np.random.default_rng(0))
    assert (found.score, found.low, found.high) == (0.5, 0.5, 0.5)
