"""What each preprocessing step does to pixels, and to the mask that goes with them."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError
from kagglecxr.data.images.image import Image
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.images.steps import STEPS, ImageAndMask
from kagglecxr.data.phantoms import draw_phantom


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(40, 200, (height, width), np.uint8)


def box(height: int, width: int, rows: slice, columns: slice) -> Image:
    mask = np.zeros((height, width), np.uint8)
    mask[rows, columns] = 255
    return mask


def test_a_mask_blackens_what_is_not_lung_and_nothing_else() -> None:
    image, mask = noise(20, 30), box(20, 30, slice(5, 15), slice(3, 9))
    masked = STEPS["mask"](ImageAndMask(image, mask)).image
    assert masked.dtype == np.uint8
    np.testing.assert_array_equal(masked[5:15, 3:9], image[5:15, 3:9])
    assert masked.sum() == image[5:15, 3:9].sum()
    colour = np.dstack([image] * 3)
    np.testing.assert_array_equal(
        STEPS["mask"](ImageAndMask(colour, mask)).image, np.dstack([masked] * 3)
    )


def test_lungs_are_the_mask_itself_in_black_and_white() -> None:
    image, mask = noise(20, 30), box(20, 30, slice(5, 15), slice(3, 9)) // 255
    for picture in (image, np.dstack([image] * 3)):
        both = STEPS["lungs"](ImageAndMask(picture, mask))
        np.testing.assert_array_equal(both.image, 255 * mask)
        assert both.image.dtype == np.uint8


def test_lungs_are_a_channel_beside_the_image() -> None:
    image, mask = noise(20, 30), box(20, 30, slice(5, 15), slice(3, 9)) // 255
    both = STEPS["lung_channel"](ImageAndMask(image, mask))
    np.testing.assert_array_equal(both.image, np.dstack([image, image, 255 * mask]))


@pytest.mark.parametrize("spread", [20.0, 48.0])
def test_grey_values_in_the_lungs_have_one_mean_and_spread(spread: float) -> None:
    mask = box(40, 60, slice(5, 35), slice(3, 49))
    for image in (noise(40, 60), noise(40, 60) // 3 + 90):
        scaled = STEPS["lung_zscore"](ImageAndMask(image, mask), spread).image
        inside = scaled[mask > 0].astype(float)
        assert abs(inside.mean() - 128.0) < 0.5
        assert abs(inside.std() - spread) < 0.5
        # Outside the same line holds: what was brighter remains so.
        order = np.argsort(image, axis=None)
        assert (np.diff(scaled.ravel()[order].astype(int)) >= 0).all()


def test_without_lungs_or_contrast_in_them_all_pixels_count() -> None:
    image, empty = noise(40, 60), np.zeros((40, 60), np.uint8)
    scaled = STEPS["lung_zscore"](ImageAndMask(image, empty), 30.0).image.astype(float)
    assert abs(scaled.mean() - 128.0) < 0.5
    assert abs(scaled.std() - 30.0) < 0.5
    flat = np.full((40, 60), 77, np.uint8)
    assert (STEPS["lung_zscore"](ImageAndMask(flat, flat), 30.0).image == 128).all()


def test_lungs_are_cropped_and_resized_as_their_image() -> None:
    image, mask = noise(40, 60), box(40, 60, slice(10, 30), slice(20, 40))
    step = Pipeline.parse("lung_box(0.5) | resize(16) | lungs", 0)
    assert step.needs_mask
    np.testing.assert_array_equal(step(image, mask), box(16, 16, slice(4, 12), slice(4, 12)))


@pytest.mark.parametrize("name", ["mask", "lung_box", "lungs", "lung_channel", "lung_zscore"])
@pytest.mark.parametrize("mask", [None, np.ones((9, 9), np.uint8)])
def test_a_step_that_needs_a_mask_refuses_to_go_without(name: str, mask: Image | None) -> None:
    with pytest.raises(DataError, match="needs a lung mask"):
        STEPS[name](ImageAndMask(noise(8, 8), mask))


def test_a_lung_box_is_the_masks_box_and_a_margin_inside_the_image() -> None:
    image, mask = noise(100, 80), box(100, 80, slice(20, 60), slice(10, 50))
    np.testing.assert_array_equal(
        STEPS["lung_box"](ImageAndMask(image, mask), 0.0).image, image[20:60, 10:50]
    )
    np.testing.assert_array_equal(
        STEPS["lung_box"](ImageAndMask(image, mask), 0.1).image, image[16:64, 6:54]
    )
    wide = STEPS["lung_box"](ImageAndMask(image, mask), 1.0)
    np.testing.assert_array_equal(wide.image, image[:100, :80])
    assert wide.mask is not None
    assert wide.mask.shape == wide.image.shape


def test_a_lung_box_of_an_empty_mask_is_the_whole_image() -> None:
    image = noise(10, 10)
    scan = STEPS["lung_box"](ImageAndMask(image, np.zeros((10, 10), np.uint8)), 0.1)
    np.testing.assert_array_equal(scan.image, image)


@given(
    st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12),
    st.sampled_from([0, 3, 255]),
)  # fmt: skip
def test_a_border_is_trimmed_to_the_last_line_and_never_the_picture(
    above: int, below: int, left: int, right: int, grey: int
) -> None:
    image = noise(24, 30)
    framed = cv2.copyMakeBorder(image, above, below, left, right, cv2.BORDER_CONSTANT, value=[grey])
    mask = np.where(framed > 100, 255, 0).astype(np.uint8)
    scan = STEPS["trim"](ImageAndMask(framed, mask), 8)
    np.testing.assert_array_equal(scan.image, image)
    assert scan.mask is not None
    np.testing.assert_array_equal(scan.mask > 0, image > 100)


@pytest.mark.parametrize("image", [np.full((8, 8), 7, np.uint8), np.eye(1, 8, dtype=np.uint8)])
def test_an_image_that_is_all_border_stays(image: Image) -> None:
    np.testing.assert_array_equal(STEPS["trim"](ImageAndMask(image), 8).image, image)


@given(st.floats(0.1, 10.0))
def test_gamma_keeps_black_white_and_the_order_of_greys(exponent: float) -> None:
    greys = np.arange(256, dtype=np.uint8)[None]
    changed = STEPS["gamma"](ImageAndMask(greys), exponent).image[0].astype(int)
    assert (changed[0], changed[255]) == (0, 255)
    assert (np.diff(changed) >= 0).all()


def test_gamma_is_the_power_of_the_share_of_white() -> None:
    greys = np.array([[64, 128]], np.uint8)
    expected = [[round((64 / 255) ** 2 * 255), round((128 / 255) ** 2 * 255)]]
    assert STEPS["gamma"](ImageAndMask(greys), 2.0).image.tolist() == expected


def test_a_stack_is_equalised_brightened_and_edges() -> None:
    image = noise(16, 20)
    stacked = STEPS["stack"](ImageAndMask(image), 40).image
    assert stacked.shape == (16, 20, 3)
    np.testing.assert_array_equal(stacked[..., 0], cv2.equalizeHist(image))
    np.testing.assert_array_equal(stacked[..., 1], np.minimum(image.astype(int) + 40, 255))
    flat = STEPS["stack"](ImageAndMask(np.full((8, 8), 90, np.uint8)), 40).image
    assert not flat[..., 2].any()
    half = np.hstack([np.zeros((8, 4), np.uint8), np.full((8, 4), 50, np.uint8)])
    assert STEPS["stack"](ImageAndMask(half), 0).image[4, :, 2].tolist() == [
        0,
        0,
        0,
        200,
        200,
        0,
        0,
        0,
    ]


def test_a_mask_goes_where_its_image_goes() -> None:
    chest = draw_phantom("Normal", 0, 0, 0, size=128)
    size = 64
    moved = STEPS["resize"](STEPS["lung_box"](ImageAndMask(chest.mask, chest.mask), 0.05), size)
    assert moved.mask is not None
    assert set(np.unique(moved.mask)) == {0, 255}
    assert np.mean((moved.image > 127) != (moved.mask > 127)) < 0.02


def test_the_pipeline_of_report_three_equalises_the_lungs_alone() -> None:
    chest = draw_phantom("COVID", 1, 0, 0, size=128)
    pipeline = Pipeline.parse("gray | resize(64) | equalise | mask | equalise", 64)
    assert pipeline.needs_mask
    image = pipeline(chest.image, chest.mask)
    lungs = cv2.resize(chest.mask, (64, 64), interpolation=cv2.INTER_NEAREST_EXACT) > 0
    assert image[~lungs].max() == 0
    assert image[lungs].max() == 255
    assert not Pipeline.parse("gray | resize", 64).needs_mask


@pytest.mark.parametrize("intel", [True, False])
def test_resizing_is_opencv_s_own_on_every_processor(intel: bool) -> None:
    image = noise(50, 60)
    used = cv2.ipp.useIPP()
    try:
        cv2.ipp.setUseIPP(False)
        expected = cv2.resize(image, (80, 80), interpolation=cv2.INTER_CUBIC)
        cv2.ipp.setUseIPP(intel)
        chosen = cv2.ipp.useIPP()
        np.testing.assert_array_equal(STEPS["resize"](ImageAndMask(image), 80).image, expected)
        assert cv2.ipp.useIPP() == chosen
    finally:
        cv2.ipp.setUseIPP(used)
