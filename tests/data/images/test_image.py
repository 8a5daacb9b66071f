"""The names of image files."""

import numpy as np
import pytest

from kagglecxr.data.images.image import fingerprint, name_without_suffix


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


def test_a_fingerprint_does_not_depend_on_how_a_square_image_was_scaled_up() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    doubled = np.kron(image, np.ones((2, 2), np.uint8))
    one, other = fingerprint(image), fingerprint(doubled)
    assert one.phash == other.phash
    np.testing.assert_array_equal(one.thumbnail, other.thumbnail)
    assert one.thumbnail.shape == (32, 32)
    assert 0 <= one.phash < 2**64
