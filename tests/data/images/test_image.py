"""The names of image files."""

import pytest

from kagglecxr.data.images.image import name_without_suffix


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("train/a.JPG", "a"),
        ("a", "a"),
        ("1.2.840.7.dcm", "1.2.840.7"),
        ("1.2.840.7", "1.2.840.7"),
        ("2020.01.24.919183-p27-132.png", "2020.01.24.919183-p27-132"),
    ],
)
def test_only_the_suffix_of_an_image_file_is_no_part_of_a_name(path: str, name: str) -> None:
    assert name_without_suffix(path) == name
