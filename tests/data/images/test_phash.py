"""The fingerprint by which copies are found."""

import numpy as np

from kagglecxr.data.images.phash import fingerprint


def test_a_fingerprint_does_not_depend_on_how_a_square_image_was_scaled_up() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    doubled = np.kron(image, np.ones((2, 2), np.uint8))
    one, other = fingerprint(image), fingerprint(doubled)
    assert one.phash == other.phash
    np.testing.assert_array_equal(one.thumbnail, other.thumbnail)
    assert one.thumbnail.shape == (32, 32)
    assert 0 <= one.phash < 2**64
