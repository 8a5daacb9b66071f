"""A view is one thing in three forms: of arrays, as a layer, and undone."""

import keras
import numpy as np
import pytest

from kagglecxr.inference.tta import DEFAULT_VIEWS, VIEWS

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 6, 7, 2), np.uint8)


@pytest.mark.parametrize("name", VIEWS.names())
def test_the_layer_of_a_view_does_what_its_array_form_does(name: str) -> None:
    by_layer = keras.ops.convert_to_numpy(VIEWS[name].layer()(IMAGES))
    np.testing.assert_array_equal(by_layer, VIEWS[name].array(IMAGES))


@pytest.mark.parametrize("name", VIEWS.names())
@pytest.mark.parametrize("maps", [IMAGES, IMAGES[..., 0], IMAGES / 7])
def test_the_inverse_of_a_view_undoes_it(name: str, maps: np.ndarray) -> None:
    np.testing.assert_array_equal(VIEWS[name].inverse(VIEWS[name].array(maps)), maps)


def test_hflip_exchanges_left_and_right() -> None:
    np.testing.assert_array_equal(VIEWS["hflip"].array(IMAGES), np.flip(IMAGES, axis=2))
    assert set(DEFAULT_VIEWS) <= set(VIEWS.names())
