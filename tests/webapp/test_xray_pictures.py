"""Pictures have the image's shape, the lungs' contour, and colours where the map is."""

import numpy as np

from kagglecxr.saliency.overlays import CONTOUR
from kagglecxr.webapp.xray_models import XrayExplanation
from kagglecxr.webapp.xray_pictures import SIDE, draw_overlay, draw_scale, draw_xray

IMAGE = np.full((40, 80), 90, np.uint8)
LUNGS = np.zeros_like(IMAGE)
LUNGS[10:30, 20:60] = 255
MAP = np.zeros((40, 80), np.float32)
MAP[5:15, 5:15] = 1.0


def is_contour(picture: np.ndarray) -> np.ndarray:
    return (picture == np.array(CONTOUR, np.uint8)).all(axis=-1)


def test_the_longest_side_is_fixed_and_the_shape_kept() -> None:
    assert draw_xray(XrayExplanation(IMAGE, None, MAP)).shape == (SIDE // 2, SIDE, 3)


def test_lungs_are_outlined_on_both() -> None:
    explained = XrayExplanation(IMAGE, LUNGS, MAP)
    for picture in (draw_xray(explained), draw_overlay(explained, signed=False)):
        rows, columns = np.nonzero(is_contour(picture))
        factor = SIDE / 80
        assert abs(rows.min() - 10 * factor) < 4
        assert abs(columns.max() - 60 * factor) < 4
    assert not is_contour(draw_xray(XrayExplanation(IMAGE, None, MAP))).any()


def test_colour_is_where_the_map_is() -> None:
    drawn = draw_overlay(XrayExplanation(IMAGE, None, MAP), signed=False).astype(int)
    coloured = np.ptp(drawn, axis=-1) > 30
    factor = SIDE // 80
    assert coloured[10 * factor, 10 * factor]
    assert not coloured[:, SIDE // 2 :].any()


def test_the_scale_ends_with_the_strongest_colours() -> None:
    signed = draw_scale(signed=True)
    blue, red = signed[0, 0].astype(int), signed[0, -1].astype(int)
    assert blue[2] > blue[0] + 50
    assert red[0] > red[2] + 50
    positive = draw_scale(signed=False).astype(int).sum(axis=-1)[0]
    assert positive[0] < 30
    assert positive[-1] > 600
