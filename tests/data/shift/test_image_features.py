"""Features of images: computed by hand, and independent of what they do not measure."""

import cv2
import numpy as np
import pandas as pd
import pytest

from kagglecxr.data.images.image import Image, fingerprint
from kagglecxr.data.shift.image_features import (
    COMPONENTS,
    NAMED,
    acquisition_features,
    content_features,
)


def features_of(images: list[Image], **columns: list[str]) -> pd.DataFrame:
    """Acquisition features of images that are their own files, 64 pixels wide and 32 high."""
    count = len(images)
    defaults = {"path": ["a.png"] * count, "source": [""] * count}
    sizes = {"width": ["64"] * count, "height": ["32"] * count}
    thumbnails = np.array([fingerprint(image).thumbnail for image in images])
    return acquisition_features(
        pd.DataFrame({**defaults, **sizes, **columns}, dtype=str), thumbnails, iter(images)
    )


def random_images(count: int, size: int = 32) -> list[Image]:
    pixels = np.random.default_rng(0).integers(40, 200, (count, size, size))
    return list(pixels.astype(np.uint8))


def test_a_flat_image_by_hand() -> None:
    (row,) = features_of([np.full((32, 64), 7, np.uint8)]).to_dict("records")
    assert row == {
        "width": 64.0,
        "height": 32.0,
        "aspect ratio": 2.0,
        "mean grey": 7.0,
        "contrast (standard deviation)": 0.0,
        "dark end (5th percentile)": 7.0,
        "bright end (95th percentile)": 7.0,
        "black share of the border": 1.0,
        "sharpness (variance of Laplacian)": 0.0,
        "entropy of grey values": 0.0,
        "file type .png": True,
    }


def test_only_black_at_the_border_counts_and_two_grays_are_one_bit() -> None:
    inside = np.zeros((32, 32), np.uint8)
    inside[:16] = 200
    outside = np.full((32, 32), 200, np.uint8)
    outside[4:28, 4:28] = 0
    table = features_of([inside, outside])
    assert table["black share of the border"].tolist() == [0.5, 0.0]
    assert table["entropy of grey values"][0] == pytest.approx(1.0)


def test_a_blurred_image_is_less_sharp_and_color_is_measured_in_gray() -> None:
    (sharp,) = random_images(1)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (5, 5), 0), np.uint8)
    table = features_of([sharp, blurred, np.asarray(np.dstack([sharp] * 3))])
    values = table["sharpness (variance of Laplacian)"]
    assert values[1] < values[0] / 2
    pd.testing.assert_series_equal(table.iloc[2], table.iloc[0], check_names=False)


def test_an_unknown_size_is_nan() -> None:
    table = features_of(random_images(2), width=["", "10"])
    assert table["width"].isna().tolist() == [True, False]
    assert table["aspect ratio"].isna().tolist() == [True, False]


def test_sources_are_features_only_if_all_are_known() -> None:
    images = random_images(2)
    assert features_of(images, source=["x", "y"])["source y"].tolist() == [False, True]
    assert not any("source" in name for name in features_of(images, source=["x", ""]))


def test_the_most_frequent_file_types_are_features() -> None:
    paths = [f"i.{k}" for k in range(NAMED + 5)] + ["i.JPG", "i.jpg"]
    table = features_of(random_images(len(paths)), path=paths)
    types = [name for name in table if name.startswith("file type")]
    assert len(types) == NAMED
    assert table["file type .jpg"].sum() == 2


def test_content_does_not_depend_on_exposure() -> None:
    thumbnails = np.array(random_images(30))
    darker = (thumbnails // 2).astype(np.uint8) * 2
    one, other = (
        content_features(of, np.random.default_rng(0))
        for of in (darker, (darker // 2 + 100).astype(np.uint8))
    )
    assert one.shape == (30, COMPONENTS)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_blank_and_few_images_have_finite_content() -> None:
    random = np.random.default_rng(0)
    assert content_features(np.array(random_images(3)), random).shape == (3, 3)
    assert not content_features(np.zeros((3, 32, 32), np.uint8), random).any()
