"""Measures of masks without a true one: by hand, and what is called suspicious."""

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.segmentation.quality import (
    MaskQuality,
    measure_quality,
    quality_bounds,
    suspicions,
)

Map = npt.NDArray[np.float32]
GOOD = MaskQuality(area=0.3, parts=2, symmetry=0.8, certainty=0.95, agreement=0.98)


def lungs(left: int = 4, right: int = 4, value: float = 1.0) -> Map:
    """Two lungs of two columns, so many rows high, in an image of 8 by 10 pixels."""
    probabilities = np.zeros((8, 10), np.float32)
    probabilities[1 : 1 + left, 1:3] = value
    probabilities[1 : 1 + right, 7:9] = value
    return probabilities


def test_a_mask_is_measured_by_hand() -> None:
    found = measure_quality(lungs(4, 3, 0.9), lungs(4, 3, 0.7))
    assert found.area == 14 / 80
    assert found.parts == 2
    assert found.symmetry == 6 / 8
    assert found.certainty == pytest.approx(0.6)
    assert found.agreement == 1.0


def test_the_middle_is_the_masks_not_the_images() -> None:
    shifted = np.roll(lungs(4, 3), -1, axis=1)
    assert measure_quality(shifted, shifted).symmetry == 6 / 8


def test_views_disagree_by_the_dice_of_their_masks() -> None:
    found = measure_quality(lungs(4, 4, 0.9), lungs(4, 2, 0.9))
    assert found.agreement == pytest.approx(2 * 12 / (16 + 12))


def test_where_views_disagree_their_mean_is_the_mask() -> None:
    sure, unsure = lungs(4, 0, 0.9), lungs(0, 4, 0.3)
    found = measure_quality(sure, unsure)
    assert found.area == 0
    assert found.agreement == 0


def test_one_lung_alone_is_halved_at_its_middle() -> None:
    alone = lungs(4, 0)
    found = measure_quality(alone, alone)
    assert (found.parts, found.symmetry) == (1, 1.0)
    column = np.zeros((6, 5), np.float32)
    column[:, 2] = 1.0
    assert measure_quality(column, column).symmetry == 0.0


def test_an_empty_mask_has_measures_too() -> None:
    empty = np.full((8, 10), 0.2, np.float32)
    assert measure_quality(empty, empty) == MaskQuality(0.0, 0, 0.0, 0.0, 1.0)


def test_specks_are_counted_as_parts() -> None:
    speckled = lungs()
    speckled[7, ::3] = 1.0
    assert measure_quality(speckled, speckled).parts == 2 + 4


def spread(count: int = 1001) -> list[MaskQuality]:
    """Masks whose measures are evenly spread from 0 to 1, and their parts from 0 to 1,000."""
    values = np.linspace(0, 1, count)
    return [MaskQuality(v, number, v, v, v) for number, v in enumerate(values)]


def test_a_hundredth_is_beyond_each_bound() -> None:
    masks = spread()
    bounds = quality_bounds(masks)
    found = [suspicions(mask, bounds) for mask in masks]
    words = {word for words in found for word in words}
    assert words == {
        "small", "large", "in many parts", "on one side", "uncertain", "views disagree",
    }  # fmt: skip
    for word in words:
        assert sum(word in one for one in found) == 10


def test_what_has_one_bad_side_is_unbounded_at_the_other() -> None:
    bounds = quality_bounds(spread())
    assert bounds["parts"][0] == -np.inf
    assert {name for name, (_, high) in bounds.items() if high == np.inf} == {
        "symmetry", "certainty", "agreement",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"area": 0.01}, "small"),
        ({"area": 0.99}, "large"),
        ({"parts": 9}, "in many parts"),
        ({"symmetry": 0.1}, "on one side"),
        ({"certainty": 0.1}, "uncertain"),
        ({"agreement": 0.1}, "views disagree"),
    ],
)
def test_what_is_suspicious_is_said_in_words(change: dict[str, float], word: str) -> None:
    bounds = {
        "area": (0.2, 0.5), "parts": (-np.inf, 3), "symmetry": (0.5, np.inf),
        "certainty": (0.8, np.inf), "agreement": (0.9, np.inf),
    }  # fmt: skip
    assert suspicions(GOOD, bounds) == []
    assert suspicions(dataclasses.replace(GOOD, **change), bounds) == [word]
    assert suspicions(MaskQuality(0.0, 0, 0.0, 0.0, 0.0), bounds) == [
        "small", "on one side", "uncertain", "views disagree",
    ]  # fmt: skip


def test_masks_all_alike_are_not_suspicious() -> None:
    bounds = quality_bounds([GOOD] * 5)
    assert suspicions(GOOD, bounds) == []
