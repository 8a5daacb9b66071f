"""Heads are asked about patients that they did not learn from, fold by fold."""

import numpy as np

from kagglecxr.shortcuts.heads import comparable_rows, held_out_probabilities, split_patients
from tests.shortcuts.drawn_chests import drawn_chests

NUMBER = 120


def score(
    features: np.ndarray, classes: np.ndarray, groups: np.ndarray, folds: np.ndarray
) -> float:
    split = split_patients(classes, groups.astype(str).astype(object), folds, 0)
    single = features.astype(np.float32)
    found = held_out_probabilities(single, {"own": single}, classes, folds, split, 2)["own"]
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


def test_where_all_features_are_the_same_a_head_guesses() -> None:
    features = np.ones((NUMBER, 5))
    classes, one = np.arange(NUMBER) % 2, np.zeros(NUMBER, np.intp)
    assert score(features, classes, np.arange(NUMBER), one) == 0.5


def test_a_class_with_one_patient_in_a_fold_is_not_asked_about() -> None:
    classes, folds = np.repeat([0, 1, 2], [4, 12, 12]), np.arange(28) % 2
    groups = np.where(classes == 0, folds, 10 + np.arange(28)).astype(str).astype(object)
    split = split_patients(classes, groups, folds, 0)
    assert (split[classes == 0] == -1).all()
    assert (split[classes > 0] >= 0).all()
    features = np.random.default_rng(0).standard_normal((28, 3)).astype(np.float32)
    found = held_out_probabilities(features, {"own": features}, classes, folds, split, 3)["own"]
    np.testing.assert_array_equal(np.isnan(found).all(axis=1), classes == 0)
    assert (found[classes > 0, 0] == 0).all()


def test_a_fold_with_one_class_is_not_asked_about() -> None:
    classes, folds = np.repeat([0, 1], 6), np.repeat([0, 1], 6)
    groups = np.arange(12).astype(str).astype(object)
    assert (split_patients(classes, groups, folds, 0) == -1).all()


def test_images_without_lungs_are_not_compared() -> None:
    audited = drawn_chests(corner=1.0)
    audited.lungs[:10] = False
    assert comparable_rows(audited, 0).tolist() == list(range(10, 80))
