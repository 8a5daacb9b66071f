"""Measures of maps are what can be counted by hand, and tell a right map from a wrong one."""

import keras
import numpy as np
import pytest

from kagglecxr.saliency.faithfulness import (
    STEPS,
    Curves,
    deletion,
    insertion,
    pointing_game,
    relevance_mass,
    share_of_area,
)
from tests.saliency.small_nets import (
    PATCH,
    SIZE,
    bright_patch_finder,
    noise,
    patched_images,
    random_net,
)

TARGETS = np.array([1, 1])


def fresh() -> np.random.Generator:
    return np.random.default_rng(0)


def inside() -> np.ndarray:
    masks = np.zeros((2, SIZE, SIZE), bool)
    masks[(slice(None), *PATCH)] = True
    return masks


def test_relevance_mass_counts_what_speaks_for_the_class() -> None:
    maps = np.array([[[3.0, -9.0], [1.0, 0.0]], [[-1.0, 0.0], [0.0, -2.0]]], np.float32)
    masks = np.array([[[True, True], [False, False]]] * 2)
    mass = relevance_mass(maps, masks)
    assert mass[0] == 0.75
    assert np.isnan(mass[1])
    assert share_of_area(masks).tolist() == [0.5, 0.5]


def test_the_pointing_game_is_won_inside() -> None:
    maps = np.zeros((3, 2, 2), np.float32)
    maps[0, 0, 1], maps[1, 1, 0] = 1, 1
    masks = np.array([[[False, True], [False, False]]] * 3)
    # A flat map points at no pixel, though the first one is its highest.
    assert pointing_game(maps, masks).tolist() == [True, False, False]
    assert not pointing_game(maps[2:], np.ones((1, 2, 2), bool))[0]


def test_areas_are_those_of_trapezoids() -> None:
    falling = np.linspace(1, 0, STEPS + 1)
    assert Curves(np.stack([falling, np.ones(STEPS + 1)])).areas() == pytest.approx([0.5, 1.0])


def test_a_right_map_takes_the_class_away_and_gives_it_back_at_once() -> None:
    explained, images = bright_patch_finder(), 1.0 * patched_images()
    explained.model.get_layer("logits").set_weights(
        [np.array([[-9.0, 9.0]]), np.array([1.0, -1.0])]
    )
    right = inside().astype(np.float32)
    wrong = -right
    taken, kept = (
        deletion(explained, images, TARGETS, one, fresh()).areas() for one in (right, wrong)
    )
    assert (taken < kept - 0.3).all()
    given, missing = (
        insertion(explained, images, TARGETS, one, fresh()).areas() for one in (right, wrong)
    )
    assert (given > missing + 0.1).all()


def test_curves_begin_and_end_with_the_whole_image_and_none_of_it() -> None:
    explained = random_net()
    whole = keras.ops.convert_to_numpy(explained.model(noise(), training=False))
    black = keras.ops.convert_to_numpy(explained.model(np.zeros_like(noise()), training=False))
    maps = np.random.default_rng(0).random((2, SIZE, SIZE), np.float32)
    curves = deletion(explained, noise(), np.array([2, 0]), maps, fresh()).probabilities
    assert curves.shape == (2, STEPS + 1)
    np.testing.assert_allclose(curves[:, 0], [whole[0, 2], whole[1, 0]], rtol=1e-5)
    np.testing.assert_allclose(curves[:, -1], [black[0, 2], black[1, 0]], rtol=1e-5)
    back = insertion(explained, noise(), np.array([2, 0]), maps, fresh()).probabilities
    np.testing.assert_allclose(back[:, -1], [whole[0, 2], whole[1, 0]], rtol=1e-5)


def test_one_sigmoid_has_two_probabilities() -> None:
    explained = random_net(classes=1)
    maps = np.ones((2, SIZE, SIZE), np.float32)
    one = deletion(explained, noise(), np.array([1, 1]), maps, fresh()).probabilities
    other = deletion(explained, noise(), np.array([0, 0]), maps, fresh()).probabilities
    np.testing.assert_allclose(one + other, 1.0, rtol=1e-6)
