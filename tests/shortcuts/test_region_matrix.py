"""Heads are judged on patients that they did not learn from, fold by fold."""

import numpy as np
import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.shortcuts.region_matrix import (
    AS_TRAINED,
    RegionMatrix,
    held_out_probabilities,
    measure_regions,
)
from kagglecxr.shortcuts.regions import BACKGROUND, LUNGS, SHAPE, VARIANTS, WHOLE
from tests.shortcuts.drawn_chests import PixelReader, drawn_chests

NUMBER = 120


def score(
    features: np.ndarray, classes: np.ndarray, groups: np.ndarray, folds: np.ndarray
) -> float:
    found = held_out_probabilities(
        features.astype(np.float32), {"own": features.astype(np.float32)}, classes,
        groups.astype(str).astype(object), folds, 2, 0,
    )["own"]  # fmt: skip
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    return float((found.argmax(axis=1) == classes).mean())


def test_what_tells_the_class_is_found_and_noise_is_not() -> None:
    random = np.random.default_rng(0)
    classes, one = np.arange(NUMBER) % 2, np.zeros(NUMBER, np.intp)
    noise = random.standard_normal((NUMBER, 30))
    told = np.column_stack([noise, classes + 0.3 * random.standard_normal(NUMBER)])
    alone = np.arange(NUMBER)
    assert score(told, classes, alone, one) > 0.85
    assert 0.3 < score(noise, classes, alone, one) < 0.7


def test_knowing_the_patient_does_not_help() -> None:
    patients = np.arange(NUMBER) // 6
    classes, one = patients % 2, np.zeros(NUMBER, np.intp)
    shown = np.eye(NUMBER // 6)[patients]
    assert score(shown, classes, np.arange(NUMBER), one) > 0.95
    assert score(shown, classes, patients, one) < 0.7


def test_features_of_two_folds_are_not_compared() -> None:
    classes, folds = np.arange(NUMBER) % 2, np.arange(NUMBER) // 2 % 2
    # The second fold's network says it the other way round.
    shown = np.where(folds == 0, classes, 1 - classes)[:, None] + 0.0
    assert score(shown, classes, np.arange(NUMBER), folds) == 1.0


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


def test_images_without_lungs_are_left_out() -> None:
    audited = drawn_chests(corner=1.0)
    audited.lungs[:10] = False
    net = PixelReader(reads_corner=True)
    whole = net.predict(audited.images, audited.folds)
    regions = measure_regions(audited, net, whole, 0, Silent())  # type: ignore[arg-type]
    assert len(regions.classes) == 70


def test_where_all_features_are_the_same_a_head_guesses() -> None:
    features = np.ones((NUMBER, 5))
    classes, one = np.arange(NUMBER) % 2, np.zeros(NUMBER, np.intp)
    assert score(features, classes, np.arange(NUMBER), one) == 0.5
