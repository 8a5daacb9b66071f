"""Patients by an expression: in names or in paths, and never silently nobody."""

import pandas as pd
import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.data.files.patients import describe_patients, find_patients


def test_the_patient_is_searched_in_the_file_name() -> None:
    paths = pd.Series(["ill/p1_a.png", "ill/p1_b.png", "well/p2_a.png"])
    assert find_patients(paths, r"^(p\d+)").tolist() == ["p1", "p1", "p2"]


def test_where_no_name_has_a_patient_the_whole_path_is_searched() -> None:
    paths = pd.Series(["train/patient1/study1/view1.png", "train/patient2/study1/view1.png"])
    assert find_patients(paths, r"(patient\d+)/").tolist() == ["patient1", "patient2"]


def test_images_without_a_patient_are_counted_and_shown() -> None:
    paths = pd.Series(["ill/p1_a.png", "well/p2_a.png", "well/odd.png"])
    patients = find_patients(paths, r"^(p\d+)").tolist()
    assert patients == ["p1", "p2", ""]
    told = describe_patients(list(paths), patients)
    assert told == "Patients: 2 of 3 images, 1 without, such as well/odd.png."
    assert "none of 1 images" in describe_patients(["a.png"], [""])
    assert "all 1 images" in describe_patients(["a.png"], ["p1"])


def test_an_expression_that_matches_nothing_is_refused() -> None:
    paths = pd.Series(["ill/patient_001-0.png", "well/patient_002-0.png"])
    with pytest.raises(DataError, match=r"matches no image.*person.*patient_001-0"):
        find_patients(paths, r"^(person\d+)")


def test_one_patient_for_all_images_is_refused() -> None:
    paths = pd.Series(["ill/IMG001.png", "well/IMG002.png"])
    with pytest.raises(DataError, match=r"one patient.*'IMG'"):
        find_patients(paths, "^([A-Z]+)")
