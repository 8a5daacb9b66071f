"""A view is one thing in three forms: of arrays, as a layer, and undone."""

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.errors import UnknownNameError
from kagglecxr.inference.tta import DEFAULT_VIEWS, VIEW_SETS, VIEWS, resolve_views

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 6, 7, 2), np.uint8)
FLIPS = ["identity", "hflip"]
SAMPLED = [name for name in VIEWS.names() if name not in FLIPS]
HEIGHT, WIDTH = 60, 80


def smooth() -> npt.NDArray[np.float64]:
    """A map (1, H, W, 1) of 0..200 that is curved in both directions and has no symmetry."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (100 + 50 * np.sin(x / 15) + 50 * np.cos(y / 11 + x / 40))[None, ..., None]


def noise() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (2, HEIGHT, WIDTH, 1), np.uint8)


@pytest.mark.parametrize("name", VIEWS.names())
@pytest.mark.parametrize("images", [IMAGES, noise()])
def test_the_layer_of_a_view_does_what_its_array_form_does(
    name: str, images: npt.NDArray[np.uint8]
) -> None:
    by_layer = keras.ops.convert_to_numpy(VIEWS[name].layer()(images))
    view = VIEWS[name].array(images)
    assert (view.dtype, view.shape) == (images.dtype, images.shape)
    np.testing.assert_array_equal(by_layer, view)


@pytest.mark.parametrize("name", FLIPS)
@pytest.mark.parametrize("maps", [IMAGES, IMAGES[..., 0], IMAGES / 7])
def test_the_inverse_of_a_flip_undoes_it(name: str, maps: npt.NDArray[np.generic]) -> None:
    np.testing.assert_array_equal(VIEWS[name].inverse(VIEWS[name].array(maps)), maps)


@pytest.mark.parametrize("name", SAMPLED)
def test_a_smooth_map_goes_there_and_back(name: str) -> None:
    view, original = VIEWS[name], smooth()
    seen = view.inverse(np.ones((1, HEIGHT, WIDTH))) == 1
    assert 0.7 < seen.mean() < 1
    back = view.inverse(view.array(np.rint(original).astype(np.uint8)).astype(np.float64))
    # Grey levels are rounded twice, and bilinear means are a little low on a crest.
    inside = cv2.erode(seen[0].astype(np.uint8), np.ones((3, 3)), borderValue=0).astype(bool)
    np.testing.assert_allclose(back[0, inside], original[0, inside], atol=1.5)
    np.testing.assert_array_equal(back[~seen], 0)


@pytest.mark.parametrize("name", VIEWS.names())
@pytest.mark.parametrize(("row", "column"), [(20, 25), (20, 50), (42, 28)])
def test_a_point_of_a_view_is_mapped_back_to_its_place(name: str, row: int, column: int) -> None:
    images = np.zeros((1, HEIGHT, WIDTH, 1), np.uint8)
    images[0, row - 2 : row + 3, column - 2 : column + 3] = 250
    back = VIEWS[name].inverse(VIEWS[name].array(images))[0, ..., 0]
    assert back.dtype == np.uint8
    weights = back / back.sum()
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    assert (weights * y).sum() == pytest.approx(row, abs=0.1)
    assert (weights * x).sum() == pytest.approx(column, abs=0.1)


@pytest.mark.parametrize("name", SAMPLED)
def test_grey_levels_are_those_of_opencv(name: str) -> None:

    images = noise()
    view = VIEWS[name]
    by_name = {
        "zoom": (0.9, 0, 0, 0, 1), "zoom_hflip": (0.9, 0, 0, 0, -1),
        "rotate_left": (1, 5, 0, 0, 1), "rotate_right": (1, -5, 0, 0, 1),
        "crop_top_left": (0.9, 0, -0.05, -0.05, 1), "crop_top_right": (0.9, 0, -0.05, 0.05, 1),
        "crop_bottom_left": (0.9, 0, 0.05, -0.05, 1), "crop_bottom_right": (0.9, 0, 0.05, 0.05, 1),
    }  # fmt: skip
    share, degrees, down, right, side = by_name[name]
    centre = ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, -degrees, share)
    matrix[:, 2] += right * WIDTH, down * HEIGHT
    if side < 0:
        matrix[0, 2] += matrix[0, 0] * (WIDTH - 1)
        matrix[0, 0] *= -1
    for image, seen in zip(images, view.array(images), strict=True):
        expected = cv2.warpAffine(
            image.astype(np.float64), matrix, (WIDTH, HEIGHT),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        # Positions are rounded to a 32nd of a pixel, between which noise changes by 8.
        assert np.abs(seen[..., 0] - expected).max() < 12
        assert np.abs(seen[..., 0] - expected).mean() < 2


def test_hflip_exchanges_left_and_right() -> None:
    np.testing.assert_array_equal(VIEWS["hflip"].array(IMAGES), np.flip(IMAGES, axis=2))
    zoomed = VIEWS["zoom"].array(noise())
    np.testing.assert_array_equal(VIEWS["zoom_hflip"].array(noise()), zoomed[:, :, ::-1])
    assert set(DEFAULT_VIEWS) <= set(VIEWS.names())


def test_rotate_left_turns_an_image_counterclockwise() -> None:
    images = np.zeros((1, 81, 81, 1), np.uint8)
    images[0, 40, 70] = 255
    row, column = np.unravel_index(VIEWS["rotate_left"].array(images).argmax(), (81, 81))
    assert (40 - row, column - 40) == (round(30 * np.sin(np.pi / 36)), 30)


def test_crops_show_their_corner() -> None:
    images = np.zeros((1, 100, 100, 1), np.uint8)
    images[0, :9, -9:] = 255
    shown = {name: VIEWS[name].array(images).mean() for name in VIEW_SETS["five_crops"]}
    assert max(shown, key=shown.__getitem__) == "crop_top_right"
    assert shown["crop_bottom_left"] == 0


def test_names_of_sets_stand_for_their_views() -> None:
    assert resolve_views(["none"]) == ["identity"]
    assert resolve_views(["rotations", "hflip"]) == [*VIEW_SETS["rotations"], "hflip"]
    assert resolve_views(["hflip", "hflip"]) == ["hflip"]
    assert len(resolve_views(["five_crops"])) == 5
    for name in VIEW_SETS.names():
        assert set(VIEW_SETS[name]) <= set(VIEWS.names())
    with pytest.raises(UnknownNameError, match=r"'five_crop'.*five_crops"):
        resolve_views(["five_crop"])
