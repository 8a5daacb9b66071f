"""Areas of weighted images are those of images that are there as often."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.metrics import area_under_curve
from kagglecxr.shortcuts.background_swap import Swaps
from kagglecxr.shortcuts.composed_images import ComposedImages, RankedImages


@given(st.integers(0, 999), st.integers(2, 30), st.integers(1, 5))
def test_weights_are_repetitions(seed: int, count: int, values: int) -> None:
    random = np.random.default_rng(seed)
    classes = random.integers(2, size=8)
    swaps = Swaps(random.integers(8, size=count), random.integers(8, size=count))
    # Few values, so that some are the same.
    present = random.integers(values, size=count) / values
    probabilities = np.stack([1 - present, present], axis=1)
    weights = random.integers(3, size=count)
    rows = np.repeat(np.arange(count), weights)
    lungs, background = classes[swaps.lungs[rows]], classes[swaps.background[rows]]
    areas = [
        area_under_curve(lungs[kind] == 1, present[rows][kind])
        for kind in (lungs == background, lungs != background)
    ]
    found = RankedImages(swaps, classes, probabilities).right(weights.astype(np.float64))
    np.testing.assert_allclose(found, [areas, areas[::-1]])


def test_a_finding_s_certainty_falls_by_what_the_background_adds() -> None:
    swaps = Swaps(np.array([0, 0, 1, 1]), np.array([2, 3, 3, 2]))
    classes = np.array([0, 1, 0, 1])
    present = np.array([0.2, 0.3, 0.9, 0.6])
    composed = ComposedImages(swaps, classes, np.stack([1 - present, present], axis=1))
    table = composed.certainty(np.ones(4))
    np.testing.assert_allclose(table, [[0.8, 0.7], [0.6, 0.9]])
    fall = np.diag(table).mean() - np.diag(table[::-1]).mean()
    assert fall == pytest.approx(((0.3 - 0.2) + (0.9 - 0.6)) / 2)
