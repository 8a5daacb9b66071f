"""Masks from several views: each is turned back before they are averaged."""

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.inference.mask_predictor import BATCH_SIZE, predict_masks
from kagglecxr.inference.tta import VIEW_SETS, VIEWS

SIDE = 48
INSIDE = slice(8, SIDE - 8)
"""Where the image is seen from every view that turns it."""


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Predicts of each pixel how bright it is."""
    inputs = keras.Input((SIDE, SIDE, 1))
    return keras.Model(inputs, keras.layers.Rescaling(1 / 255)(inputs))


@pytest.fixture(scope="module")
def images() -> npt.NDArray[np.uint8]:
    """Smooth images without any symmetry, which interpolation leaves nearly as they are."""
    noise = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE)).astype(np.float32)
    smooth = [cv2.GaussianBlur(one, (0, 0), 4) for one in noise]
    return np.stack([cv2.normalize(s, None, 0, 255, cv2.NORM_MINMAX) for s in smooth]).astype(
        np.uint8
    )


def predicted(
    model: keras.Model, images: npt.NDArray[np.uint8], views: list[str]
) -> npt.NDArray[np.float32]:
    rows = np.arange(len(images))
    return predict_masks(model.predict_on_batch, images, rows, views=views)


def test_flips_are_turned_back_exactly(model: keras.Model, images: npt.NDArray[np.uint8]) -> None:
    for views in (["identity"], ["hflip"], ["identity", "hflip"]):
        np.testing.assert_allclose(predicted(model, images, views), images / 255, atol=1e-6)


@pytest.mark.parametrize("view", VIEWS.names())
def test_each_view_is_turned_back(
    view: str, model: keras.Model, images: npt.NDArray[np.uint8]
) -> None:
    found = predicted(model, images, [view])
    expected = images / 255
    error = np.abs(found - expected)[:, INSIDE, INSIDE]
    assert error.max() < 0.03
    # It would not be, were it not turned back.
    unturned = VIEWS[view].array(images[..., None])[..., 0] / 255
    assert view == "identity" or np.abs(unturned - expected)[:, INSIDE, INSIDE].max() > 0.12


@pytest.mark.parametrize("views", [*VIEW_SETS.names(), "identity"])
def test_the_mean_of_views_is_the_image(
    views: str, model: keras.Model, images: npt.NDArray[np.uint8]
) -> None:
    found = predicted(model, images, [views])
    assert np.abs(found - images / 255)[:, INSIDE, INSIDE].max() < 0.06


def test_what_a_view_does_not_show_the_others_decide(model: keras.Model) -> None:
    white = np.full((1, SIDE, SIDE), 255, np.uint8)
    corner = predicted(model, white, ["crop_top_left"])[0]
    assert corner[-1, -1] == 0
    both = predicted(model, white, ["crop_top_left", "identity"])[0]
    np.testing.assert_allclose(both, 1, atol=1e-5)


def test_rows_of_a_map_are_predicted_in_their_order_batch_by_batch() -> None:
    sizes: list[int] = []

    def brightness(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        sizes.append(len(pixels))
        return pixels[..., :1].astype(np.float32) / 255

    images = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 6, 3), np.uint8)
    rows = np.arange(39, 1, -1)
    found = predict_masks(brightness, images, rows, views=["identity"])
    assert found.shape == (38, 4, 6)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0, 0], rows / 255, atol=1e-6)
    assert sizes == [BATCH_SIZE, BATCH_SIZE, 38 - 2 * BATCH_SIZE]
