"""What pixels say: exact means whatever the blocks, distributions that sum to one."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kagglecxr.core.progress import Silent
from kagglecxr.reports.eda import pixel_statistics as exploration_pixels
from kagglecxr.reports.eda.pixel_statistics import (
    OUTLINE,
    PixelSummary,
    equalised,
    gray_histogram,
    masked,
    mean_grey,
    outlined,
    summarise,
)

Pixels = npt.NDArray[np.uint8]
Sets = dict[str, npt.NDArray[np.bool_]]


def summaries(images: Pixels, sets: Sets) -> dict[str, PixelSummary]:
    with Silent().bar("", len(images)) as bar:
        return summarise(images, sets, bar)


@settings(deadline=None, max_examples=40)
@given(
    st.data(), st.integers(1, 12), st.sampled_from([(3, 4), (2, 3, 3)]), st.sampled_from([1, 30])
)
def test_the_mean_image_is_numpys_whatever_the_block(
    data: st.DataObject, count: int, shape: tuple[int, ...], block: int
) -> None:
    images = data.draw(arrays(np.uint8, (count, *shape)))
    members = data.draw(arrays(np.bool_, count).filter(lambda chosen: chosen.any()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exploration_pixels, "BLOCK", block)
        found = summaries(images, {"some": members, "all": np.ones(count, np.bool_)})
    for name, rows in (("some", members), ("all", slice(None))):
        assert found[name].images == len(images[rows])
        assert found[name].mean.shape == shape
        np.testing.assert_allclose(found[name].mean, images[rows].mean(axis=0), atol=1e-12)
        expected = np.bincount(images[rows].ravel(), minlength=256) / images[rows].size
        np.testing.assert_allclose(found[name].pixels, expected, atol=1e-15)


def test_a_memory_map_is_read_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "images.npy"
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8)).astype(np.uint8)
    np.save(path, images)
    monkeypatch.setattr(exploration_pixels, "BLOCK", 640)
    found = summaries(np.load(path, mmap_mode="r"), {"all": np.ones(50, np.bool_)})
    np.testing.assert_array_equal(found["all"].mean, images.mean(axis=0))


def test_the_mean_grey_of_each_thumbnail() -> None:
    thumbnails = np.stack([np.full((32, 32), value, np.uint8) for value in (0, 7, 255)])
    assert mean_grey(thumbnails).tolist() == [0.0, 7.0, 255.0]


@settings(deadline=None, max_examples=40)
@given(arrays(np.uint8, (5, 6)), arrays(np.uint8, (5, 6), elements=st.sampled_from([0, 255])))
def test_the_shares_of_grey_values_sum_to_one_unless_the_mask_is_empty(
    image: Pixels, mask: Pixels
) -> None:
    assert gray_histogram(image).sum() == pytest.approx(1.0)
    within = gray_histogram(image, mask)
    assert within.sum() == pytest.approx(1.0 if mask.any() else 0.0)
    assert not within[np.setdiff1d(np.arange(256), image[mask > 0])].any()


@settings(deadline=None, max_examples=40)
@given(arrays(np.uint8, (5, 6)))
def test_equalisation_is_opencvs_and_keeps_the_order_of_greys(image: Pixels) -> None:
    after = equalised(image)
    np.testing.assert_array_equal(after, cv2.equalizeHist(image))
    order = np.argsort(image.ravel(), kind="stable")
    assert (np.diff(after.ravel()[order].astype(int)) >= 0).all()


def test_the_black_outside_takes_no_part_in_the_equalisation() -> None:
    lungs = np.random.default_rng(0).integers(60, 120, (20, 20)).astype(np.uint8)
    wide = np.pad(lungs, ((0, 0), (0, 80)))
    narrow = np.pad(lungs, ((0, 0), (0, 5)))
    after_wide, after_narrow = equalised(wide, wide), equalised(narrow, narrow)
    np.testing.assert_array_equal(after_wide[:, :20], after_narrow[:, :20])
    assert not after_wide[:, 20:].any()


def test_a_masked_image_is_itself_inside_and_black_outside() -> None:
    image = np.arange(1, 13, dtype=np.uint8).reshape(3, 4)
    mask = np.zeros_like(image)
    mask[1, 1:3] = 255
    assert masked(image, mask).tolist() == [[0, 0, 0, 0], [0, 6, 7, 0], [0, 0, 0, 0]]


def test_the_contour_is_drawn_around_the_mask_alone() -> None:
    image = np.full((40, 50), 100, np.uint8)
    mask = np.zeros_like(image)
    mask[10:30, 10:40] = 255
    drawn = outlined(image, mask)
    coloured = (drawn == OUTLINE).all(axis=2)
    assert coloured[10, 10:40].all()
    assert not coloured[15:25, 15:35].any()
    assert (drawn[~coloured] == 100).all()
    assert (image == 100).all()


def test_an_empty_mask_has_no_contour() -> None:
    image = np.full((9, 9), 3, np.uint8)
    assert (outlined(image, np.zeros_like(image)) == 3).all()
