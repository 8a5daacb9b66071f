"""Changed images stay in their range: what trains must look like what is tested."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kagglecxr.core.errors import DataError
from kagglecxr.data.phantoms import draw_phantom
from kagglecxr.data.sequences.augmentation import (
    CUSTOM_AUGMENTATIONS,
    Augmentation,
    augment_with_masks,
)
from kagglecxr.data.sequences.sequence import BalancedSequence

Pixels = npt.NDArray[np.uint8]
STILL = {
    "hflip": 0.0,
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


EVERYTHING = {"gamma": 0.5, "noise": 0.05, "cutout": 0.3, "mixup": 0.4, "cutmix": 1.0}
SHAPES = st.tuples(
    st.integers(1, 3), st.integers(2, 17), st.integers(2, 17), st.sampled_from([1, 3])
)


def targets(images: Pixels) -> npt.NDArray[np.float32]:
    return np.eye(len(images), dtype=np.float32)


def changed(images: Pixels, seed: int = 0, **entries: float) -> Pixels:
    """A batch changed by these settings and no others."""
    augmentation = Augmentation(**{**STILL, **entries})
    return augmentation(images, targets(images), np.random.default_rng(seed))[0]


@given(SHAPES, st.integers(0, 2**31), st.sampled_from([{}, EVERYTHING]))
@settings(max_examples=100, deadline=None)
def test_any_batch_stays_uint8_of_its_shape(
    shape: tuple[int, int, int, int], seed: int, entries: dict[str, float]
) -> None:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, shape, np.uint8)
    before = images.copy()
    result, mixed = Augmentation(**entries)(images, targets(images), random)
    assert result.shape == shape
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(images, before)
    if entries:
        np.testing.assert_allclose(mixed.sum(axis=1), 1.0, rtol=1e-6)
    else:
        np.testing.assert_array_equal(mixed, targets(images))


def plainly(images: Pixels, random: np.random.Generator, entries: Augmentation) -> Pixels:
    """The six changes of old, one number and one image after the other."""
    result = []
    for image in images:
        hflip = random.random() < entries.hflip
        angle, zoom, across, down, contrast, brightness = random.uniform(-1.0, 1.0, 6)
        height, width = image.shape[:2]
        turn = cv2.getRotationMatrix2D(
            ((width - 1) / 2, (height - 1) / 2), angle * entries.rotation, 1 + zoom * entries.zoom
        )
        turn[:, 2] += (across * entries.shift * width, down * entries.shift * height)
        if hflip:
            turn = turn @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], np.float64)
        moved = cv2.warpAffine(
            image, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).reshape(image.shape)
        spread, middle = 1 + contrast * entries.contrast, float(moved.mean())
        offset = middle - spread * middle + brightness * entries.brightness * 255.0
        table = np.clip(np.rint(np.arange(256) * spread + offset), 0, 255).astype(np.uint8)
        result.append(table[moved])
    return np.stack(result)


@given(SHAPES, st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_an_old_run_s_images_are_made_again_bit_for_bit(
    shape: tuple[int, int, int, int], seed: int
) -> None:
    images = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    result = Augmentation()(images, targets(images), np.random.default_rng(seed))[0]
    expected = plainly(images, np.random.default_rng(seed), Augmentation())
    np.testing.assert_array_equal(result, expected)


def test_all_zero_settings_are_the_identity(chests: Pixels) -> None:
    for seed in range(5):
        np.testing.assert_array_equal(changed(chests, seed), chests)


@given(st.integers(1, 12), st.integers(1, 13), st.sampled_from([1, 3]), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_certain_mirroring_alone_is_numpys_flip(
    height: int, width: int, channels: int, seed: int
) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (2, height, width, channels), np.uint8)
    np.testing.assert_array_equal(changed(images, seed, hflip=1.0), images[:, :, ::-1])


def test_mirroring_happens_as_often_as_requested(chests: Pixels) -> None:
    images = np.repeat(chests[:1], 400, axis=0)
    result = changed(images, hflip=0.3)
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
    mirrored = changed(chests, seed=5, hflip=0.5)
    both = changed(chests, seed=5, hflip=0.5, brightness=0.02)
    for image, brighter in zip(mirrored, both, strict=True):
        assert np.ptp(brighter.astype(int) - image) <= 6


def test_an_item_depends_on_its_position_and_not_on_the_batch_around_it(chests: Pixels) -> None:
    entries = {**EVERYTHING, "mixup": 0.0, "cutmix": 0.0}
    result, part = (
        Augmentation(**entries)(images, targets(images), np.random.default_rng(3))[0]
        for images in (chests, chests[:3])
    )
    np.testing.assert_array_equal(part, result[:3])


@pytest.mark.parametrize("entry", ["gamma", "noise", "cutout", "mixup", "cutmix"])
def test_a_later_setting_leaves_the_moves_as_they_were(chests: Pixels, entry: str) -> None:
    moved, both = (
        Augmentation(**entries)(chests, targets(chests), np.random.default_rng(5))[0]
        for entries in ({}, {entry: 1e-6})
    )
    untouched = (moved == both).mean(axis=(1, 2, 3))
    assert np.all(untouched > 0.95) or entry in {"mixup", "cutmix"}
    # A share drawn from Beta(1e-6, 1e-6) is 0 or 1: each image is one of the batch, as moved.
    assert all(any(np.abs(one.astype(int) - m).max() <= 1 for m in moved) for one in both)


def test_gamma_keeps_black_and_white_and_their_order_and_goes_either_way() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (200, 1))[:, None, :, None]
    result = changed(ramp, gamma=0.5)[:, 0, :, 0].astype(int)
    assert np.all(result[:, 0] == 0)
    assert np.all(result[:, 255] == 255)
    assert np.diff(result, axis=1).min() >= 0
    power = np.log(result[:, 128] / 255) / np.log(128 / 255)
    assert 1 / 1.5 - 0.01 <= power.min() < 0.7
    assert 1.45 < power.max() <= 1.51
    assert np.median(power) == pytest.approx(1.0, abs=0.08)


def test_noise_has_its_deviation_and_no_bias() -> None:
    noise = changed(np.full((4, 100, 100, 1), 128, np.uint8), noise=0.04).astype(int) - 128
    assert noise.std() == pytest.approx(0.04 * 255, rel=0.02)
    assert noise.mean() == pytest.approx(0.0, abs=0.2)
    assert not np.array_equal(noise[0], noise[1])


def test_noise_that_leaves_the_range_is_cut_and_never_wraps() -> None:
    assert changed(np.full((2, 50, 50, 1), 250, np.uint8), noise=0.05).min() > 150
    assert changed(np.full((2, 50, 50, 1), 5, np.uint8), noise=0.05).max() < 105


@given(st.integers(2, 30), st.integers(2, 30), st.floats(0.01, 0.99), st.integers(0, 999))
@settings(max_examples=80, deadline=None)
def test_cutout_paints_one_whole_box_of_its_share(
    height: int, width: int, share: float, seed: int
) -> None:
    cut = changed(np.zeros((3, height, width, 1), np.uint8), seed, cutout=share)[..., 0] == 128
    tall, wide = round(share * height), round(share * width)
    for image in cut:
        assert image.sum() == tall * wide
        assert sorted(set(image.sum(axis=1).tolist()) - {0}) == ([wide] if tall * wide else [])


def test_cutout_reaches_every_pixel() -> None:
    cut = changed(np.zeros((400, 6, 6, 1), np.uint8), cutout=0.5)
    assert np.all(cut.max(axis=0) == 128)


def test_inside_the_model_only_mixing_is_left_to_the_data_path(chests: Pixels) -> None:
    labels = targets(chests)
    inside = Augmentation(where="model", **{**EVERYTHING, "mixup": 0.0, "cutmix": 0.0})
    images, same = inside(chests, labels, np.random.default_rng(0))
    assert images is chests
    assert same is labels
    mixed = Augmentation(where="model", cutmix=1.0)(chests, labels, np.random.default_rng(1))
    assert np.any(mixed[1] != labels)
    assert set(np.unique(mixed[0])) <= set(np.unique(chests))


def test_batches_do_not_depend_on_the_order_in_which_they_are_read(chests: Pixels) -> None:
    images, labels = np.tile(chests, (4, 1, 1, 1)), np.arange(32) % 4

    def batches() -> BalancedSequence:
        return BalancedSequence(images, labels, 8, transform=Augmentation(**EVERYTHING))

    forwards, backwards = batches(), batches()
    late_first = [backwards[number] for number in (3, 1, 2, 0)][::-1]
    for number, expected in zip((0, 2, 1, 3), late_first, strict=True):
        for one, other in zip(forwards[number], expected, strict=True):
            np.testing.assert_array_equal(one, other)


@given(SHAPES, st.integers(0, 2**31), st.sampled_from([{}, EVERYTHING]))
@settings(max_examples=60, deadline=None)
def test_masks_stay_two_valued_and_leave_their_images_chance_alone(
    shape: tuple[int, int, int, int], seed: int, entries: dict[str, float]
) -> None:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, shape, np.uint8)
    masks = 255 * random.integers(0, 2, (*shape[:3], 1), np.uint8)
    augmentation = Augmentation(**{**entries, "mixup": 0.0, "cutmix": 0.0})
    result, moved = augment_with_masks(images, masks, np.random.default_rng(seed), augmentation)
    assert moved.shape == masks.shape
    assert moved.dtype == np.uint8
    assert set(np.unique(moved)) <= set(np.unique(masks))
    alone = augmentation(images, targets(images), np.random.default_rng(seed))[0]
    np.testing.assert_array_equal(result, alone)


@given(st.integers(0, 2**31), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_mask_moves_exactly_as_its_image(seed: int, colour: bool) -> None:
    patients = [draw_phantom("Normal", patient, 0, 0, size=64) for patient in range(3)]
    masks = np.stack([np.where(p.mask > 0, 255, 0).astype(np.uint8) for p in patients])[..., None]
    images = np.repeat(masks, 3, axis=3) if colour else masks
    moves = Augmentation(rotation=40.0, zoom=0.3, shift=0.2, contrast=0.0, brightness=0.0)
    result, moved = augment_with_masks(images, masks, np.random.default_rng(seed), moves)
    shown, kept = result[..., :1] > 127, moved > 127
    for one, other in zip(shown, kept, strict=True):
        assert (one & other).sum() >= 0.97 * (one | other).sum()
    # Where interpolation shows neither edge nor corner, the two agree to the pixel.
    sure = (result[..., :1] == 0) | (result[..., :1] == 255)
    np.testing.assert_array_equal(shown[sure], kept[sure])


def test_grey_changes_leave_masks_alone(chests: Pixels) -> None:
    masks = np.where(chests > 100, 1, 0).astype(np.uint8)
    greys = Augmentation(
        **{**STILL, "contrast": 0.5, "brightness": 0.3, "gamma": 1.0, "noise": 0.2, "cutout": 0.5}
    )
    images, kept = augment_with_masks(chests, masks, np.random.default_rng(0), greys)
    np.testing.assert_array_equal(kept, masks)
    assert not np.array_equal(images, chests)


def test_masks_of_another_size_are_refused(chests: Pixels) -> None:
    with pytest.raises(DataError, match=r"\(8, 64, 64, 1\).*\(8, 32, 64, 1\)"):
        augment_with_masks(chests, chests[:, ::2], np.random.default_rng(0), Augmentation())


@pytest.mark.parametrize(
    "entry",
    [{"hflip": 1.5}, {"rotation": -1.0}, {"zoom": 1.0}, {"contrast": 1.0}, {"brighness": 0.1},
     {"gamma": -0.1}, {"noise": 1.1}, {"cutout": 1.0}, {"mixup": -1.0}, {"cutmix": -1.0},
     {"where": "gpu"}],
)  # fmt: skip
def test_settings_out_of_range_or_unknown_are_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(entry))):
        Augmentation(**entry)


@pytest.mark.parametrize("where", ["data", "model"])
def test_custom_augmentations_change_each_image_by_a_chance_of_its_own(
    where: str, chests: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CUSTOM_AUGMENTATIONS, "_entries", {})

    @CUSTOM_AUGMENTATIONS.add
    def darken(image: Pixels, strength: float, random: np.random.Generator) -> Pixels:
        return (image * (1.0 - strength * random.random())).astype(np.uint8)

    transform = Augmentation(**STILL, where=where, custom={"darken": 0.5})
    targets = np.eye(8, dtype=np.float32)
    one, other = (transform(chests, targets, np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(one, other)
    ratios = one.mean(axis=(1, 2, 3)) / chests.mean(axis=(1, 2, 3))
    assert ((ratios > 0.45) & (ratios < 1.0)).all()
    assert len(set(ratios.round(3))) == 8


def test_a_custom_augmentation_that_is_not_registered_is_refused() -> None:
    with pytest.raises(ValidationError, match="no augmentation of that name"):
        Augmentation(custom={"blur": 0.5})
