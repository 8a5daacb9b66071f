"""Changed images stay in their range: what trains must look like what is tested."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kagglecxr.data.augmentation import Augmentation
from kagglecxr.data.phantoms import draw_phantom

Pixels = npt.NDArray[np.uint8]
STILL = {
    "mirror": 0.0,
    "rotation": 0.0,
    "zoom": 0.0,
    "shift": 0.0,
    "contrast": 0.0,
    "brightness": 0.0,
}


@pytest.fixture(scope="module")
def chests() -> Pixels:
    """Eight phantoms, (8, 64, 64, 1)."""
    images = [draw_phantom("Normal", patient, 0, 0, size=64).image for patient in range(8)]
    return np.stack(images)[..., None]


def targets(images: Pixels) -> npt.NDArray[np.float32]:
    return np.eye(len(images), dtype=np.float32)


def changed(images: Pixels, seed: int = 0, **entries: float) -> Pixels:
    """A batch changed by these settings and no others."""
    augmentation = Augmentation(**{**STILL, **entries})
    return augmentation(images, targets(images), np.random.default_rng(seed))[0]


@given(
    st.tuples(
        *[st.integers(1, 3), st.integers(2, 17), st.integers(2, 17), st.sampled_from([1, 3])]
    ),
    st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_any_batch_stays_uint8_of_its_shape(shape: tuple[int, int, int, int], seed: int) -> None:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, shape, np.uint8)
    before = images.copy()
    result, answers = Augmentation()(images, targets(images), random)
    assert result.shape == shape
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(answers, targets(images))
    np.testing.assert_array_equal(images, before)


def test_all_zero_settings_are_the_identity(chests: Pixels) -> None:
    for seed in range(5):
        np.testing.assert_array_equal(changed(chests, seed), chests)


@given(st.integers(1, 12), st.integers(1, 13), st.sampled_from([1, 3]), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_certain_mirroring_alone_is_numpys_flip(
    height: int, width: int, channels: int, seed: int
) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (2, height, width, channels), np.uint8)
    np.testing.assert_array_equal(changed(images, seed, mirror=1.0), images[:, :, ::-1])


def test_mirroring_happens_as_often_as_it_is_asked_for(chests: Pixels) -> None:
    images = np.repeat(chests[:1], 400, axis=0)
    result = changed(images, mirror=0.3)
    flipped = np.array([np.array_equal(image, chests[0, :, ::-1]) for image in result])
    unchanged = np.array([np.array_equal(image, chests[0]) for image in result])
    assert np.all(flipped ^ unchanged)
    assert flipped.mean() == pytest.approx(0.3, abs=0.08)


def test_grey_levels_stay_near_the_originals_with_the_default_settings(chests: Pixels) -> None:
    for seed in range(20):
        result = Augmentation()(chests, targets(chests), np.random.default_rng(seed))[0]
        # The brightness may move by 0.08 of 255, and what turns into view is dark or bright.
        assert np.abs(result.mean((1, 2, 3)) - chests.mean((1, 2, 3))).max() < 45
        assert abs(float(result.mean()) - float(chests.mean())) < 20
        for end in (0, 255):
            shown, before = np.mean(result == end), np.mean(chests == end)
            assert shown - before < 0.15


def test_no_setting_moves_grey_levels_to_one_side(chests: Pixels) -> None:
    images = np.tile(chests, (25, 1, 1, 1))
    result = Augmentation()(images, targets(images), np.random.default_rng(1))[0]
    assert float(result.mean()) == pytest.approx(float(images.mean()), abs=4)
    assert np.mean(result == 0) - np.mean(images == 0) < 0.05
    assert np.mean(result == 255) - np.mean(images == 255) < 0.03


def test_contrast_spreads_about_the_mean_and_keeps_it() -> None:
    image = np.random.default_rng(0).integers(90, 160, (200, 16, 16, 1), np.uint8)
    result = changed(image, contrast=0.5)
    spread = result.std((1, 2, 3)) / image.std((1, 2, 3))
    assert np.abs(result.mean((1, 2, 3)) - image.mean((1, 2, 3))).max() < 1
    assert 0.5 <= spread.min() < 0.6
    assert 1.4 < spread.max() <= 1.51


def test_brightness_adds_a_share_of_the_full_scale_either_way() -> None:
    images = np.full((300, 4, 4, 1), 128, np.uint8)
    offset = changed(images, brightness=0.1).mean((1, 2, 3)) - 128
    assert -26 <= offset.min() < -20
    assert 20 < offset.max() <= 26
    assert np.all(np.ptp(changed(images, brightness=0.1), axis=(1, 2, 3)) == 0)


def test_brightness_that_leaves_the_range_is_cut_and_never_wraps() -> None:
    bright = changed(np.full((50, 4, 4, 1), 250, np.uint8), brightness=0.5, contrast=0.5)
    dark = changed(np.full((50, 4, 4, 1), 5, np.uint8), brightness=0.5, contrast=0.5)
    assert bright.min() > 100
    assert dark.max() < 150


@pytest.mark.parametrize("entry", ["shift", "zoom", "rotation"])
def test_moves_repeat_the_border_and_bring_no_new_grey_levels(entry: str) -> None:
    images = np.random.default_rng(0).integers(100, 140, (50, 24, 24, 1), np.uint8)
    result = changed(images, **{entry: 90.0 if entry == "rotation" else 0.4})
    assert result.min() >= 100
    assert result.max() < 140
    assert not np.array_equal(result, images)


def test_a_shift_moves_by_no_more_than_its_share() -> None:
    images = np.zeros((200, 40, 40, 1), np.uint8)
    images[:, 20, 20] = 255
    for image in changed(images, shift=0.1):
        rows, columns = np.nonzero(image[..., 0])
        assert abs(np.average(rows, weights=image[rows, columns, 0]) - 20) <= 4.1
        assert abs(np.average(columns, weights=image[rows, columns, 0]) - 20) <= 4.1


def test_changes_are_fixed_by_the_generator_and_differ_between_images(chests: Pixels) -> None:
    images = np.repeat(chests[:1], 4, axis=0)
    one = Augmentation()(images, targets(images), np.random.default_rng(3))[0]
    same = Augmentation()(images, targets(images), np.random.default_rng(3))[0]
    other = Augmentation()(images, targets(images), np.random.default_rng(4))[0]
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert len({image.tobytes() for image in one}) == 4


def test_one_setting_leaves_the_chance_of_the_others_as_it_was(chests: Pixels) -> None:
    mirrored = changed(chests, seed=5, mirror=0.5)
    both = changed(chests, seed=5, mirror=0.5, brightness=0.02)
    for image, brighter in zip(mirrored, both, strict=True):
        assert np.ptp(brighter.astype(int) - image) <= 6


@pytest.mark.parametrize(
    "entry",
    [{"mirror": 1.5}, {"rotation": -1.0}, {"zoom": 1.0}, {"contrast": 1.0}, {"brighness": 0.1}],
)
def test_settings_out_of_range_or_unknown_are_refused(entry: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(entry))):
        Augmentation(**entry)
