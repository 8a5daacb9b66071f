"""Masks in folders of their own, and beside their images."""

import doctest

import pytest

from kagglecxr.data.files import masks
from kagglecxr.data.files.masks import find_masks


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a/images/1.jpg", "a/masks/1.png"),
        ("a/Images/1.jpg", "a/Masks/mask_1.png"),
        ("a/1.jpg", "a/mask/1_mask.tif"),
        ("a/1.jpg", "a/1_mask.png"),
        ("a/1.jpg", "a/1-Mask.png"),
        ("images/1.jpg", "masks/1.png"),
    ],
)
def test_a_mask_is_found(image: str, mask: str) -> None:
    assert find_masks([image, mask]) == {image: mask}


def test_a_mask_of_another_class_or_name_is_none() -> None:
    files = [
        "a/images/1.jpg",
        "a/infection masks/1.png",
        "b/masks/1.png",
        "a/masks/2.png",
        "a/images/unmasked.png",
    ]
    assert find_masks(files) == {}


def test_an_image_without_its_film_is_no_mask() -> None:
    assert find_masks(["a/2_mask.png"]) == {}


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(masks).failed == 0
