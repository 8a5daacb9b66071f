"""What is hidden and matters is where the map is high."""

import numpy as np
import pytest

from kagglecxr.saliency.perturbation import occlusion, rise
from tests.saliency.small_nets import (
    PATCH,
    SIZE,
    bright_patch_finder,
    noise,
    patched_images,
    random_net,
    target_scores,
)

TARGETS = np.array([1, 1])


def test_occlusion_is_the_fall_of_the_score_computed_by_hand() -> None:
    explained = bright_patch_finder()
    images = patched_images()
    maps = occlusion(explained, images, TARGETS, patches=2)
    # With two steps a side there is one patch, and it hides all.
    hidden = np.broadcast_to(images.mean(axis=(1, 2), keepdims=True), images.shape)
    whole, grey = (target_scores(explained, x, TARGETS) for x in (images, hidden))
    np.testing.assert_allclose(maps[:, 0, 0], whole - grey, rtol=1e-5)
    assert np.ptp(maps, axis=(1, 2)).tolist() == [0, 0]


def test_every_pixel_is_hidden_whatever_the_size() -> None:
    explained = random_net()
    for patches in (3, 5, 14):
        assert np.isfinite(occlusion(explained, noise(1), np.array([0]), patches)).all()


@pytest.mark.parametrize("method", ["occlusion", "rise"])
def test_the_score_falls_where_the_patch_is(method: str) -> None:
    explained, images = bright_patch_finder(), patched_images()
    if method == "rise":
        maps = rise(explained, images, TARGETS, np.random.default_rng(0))
    else:
        maps = occlusion(explained, images, TARGETS)
    inside = np.zeros((SIZE, SIZE), bool)
    inside[PATCH] = True
    for one in maps:
        assert one[inside].mean() > one[~inside].mean() + 2 * one[~inside].std()


def test_rise_is_the_mean_of_weighted_masks() -> None:
    """Of a class that no pixel speaks for, every mask has the score of the black image."""
    explained = bright_patch_finder()
    dark = np.full((1, SIZE, SIZE, 1), 100, np.float32)
    assert not rise(explained, dark, np.array([1]), np.random.default_rng(0), masks=20).any()


def test_rise_is_the_same_under_one_seed() -> None:
    explained, images = bright_patch_finder(), patched_images(1)
    one, other = (
        rise(explained, images, TARGETS[:1], np.random.default_rng(7), masks=20) for _ in range(2)
    )
    np.testing.assert_array_equal(one, other)
