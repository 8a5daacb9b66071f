"""Single drawn radiographs: what a person and a net would see in them."""

import cv2
import numpy as np
import pytest

from kagglecxr.data.phantoms import IMAGES, Phantom, draw_phantom


@pytest.fixture(scope="module")
def chests() -> list[Phantom]:
    """Three patients of each class at 96 pixels."""
    return [
        draw_phantom(label, patient, 0, 0, size=96)
        for k, label in enumerate(IMAGES)
        for patient in range(3 * k, 3 * k + 3)
    ]


def test_an_image_of_a_patient_is_fixed_by_its_four_words() -> None:
    one, same = (draw_phantom("COVID", 3, 1, 5, size=48) for _ in range(2))
    np.testing.assert_array_equal(one.image, same.image)
    np.testing.assert_array_equal(one.mask, same.mask)
    for words in (("Normal", 3, 1, 5), ("COVID", 4, 1, 5), ("COVID", 3, 2, 5), ("COVID", 3, 1, 6)):
        assert not np.array_equal(draw_phantom(*words, size=48).image, one.image)


def test_images_are_grey_pictures_of_a_useful_range(chests: list[Phantom]) -> None:
    for chest in chests:
        assert chest.image.shape == (96, 96)
        assert chest.image.dtype == np.uint8
        assert np.ptp(np.percentile(chest.image, [2, 98])) > 90
        assert np.mean((chest.image == 0) | (chest.image == 255)) < 0.35


def test_a_mask_is_two_lungs_of_plausible_size_side_by_side(chests: list[Phantom]) -> None:
    for chest in chests:
        assert chest.mask.dtype == np.uint8
        assert set(np.unique(chest.mask)) == {0, 255}
        assert 0.2 < np.mean(chest.mask > 0) < 0.55
        _, _, stats, centres = cv2.connectedComponentsWithStats(chest.mask)
        large = np.argsort(stats[1:, cv2.CC_STAT_AREA])[::-1][:2] + 1
        areas = stats[large, cv2.CC_STAT_AREA]
        assert areas.sum() > 0.98 * np.sum(chest.mask > 0)
        assert areas.min() > 0.5 * areas.max()
        left, right = sorted(centres[large, 0])
        assert left < 48 < right
        assert abs(np.diff(centres[large, 1]).item()) < 15


def test_lungs_are_darker_than_what_surrounds_them(chests: list[Phantom]) -> None:
    darker = [
        chest.image[chest.mask > 0].mean() < chest.image[chest.mask == 0].mean()
        for chest in chests[6:9]
    ]
    assert all(darker)
