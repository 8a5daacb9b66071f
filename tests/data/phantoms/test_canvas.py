"""Shapes on the canvas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.data.phantoms.canvas import Canvas


def test_coordinates_run_from_minus_one_to_one_rightwards_and_downwards() -> None:
    canvas = Canvas(4)
    assert canvas.x[0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert canvas.y[:, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert canvas.blank().shape == (4, 4)
    assert not canvas.blank().any()


def test_a_polygon_fills_its_share_of_the_canvas() -> None:
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    field = Canvas(64).polygon(square)
    assert field.dtype == np.float32
    assert field[32, 32] == 1
    assert field[0, 0] == 0
    assert field.mean() == pytest.approx(0.25, abs=0.03)


def test_a_line_is_as_wide_as_requested() -> None:
    field = Canvas(100).line(np.array([[-1.2, 0.0], [1.2, 0.0]]), 0.2)
    assert field[:, 50].sum() == pytest.approx(10, abs=2)
    assert field[50].min() == 1


@given(
    st.floats(-0.5, 0.5),
    st.floats(-0.5, 0.5),
    st.floats(0.1, 0.6),
    st.floats(0.1, 0.6),
    st.floats(0, np.pi),
    st.floats(0, 2 * np.pi),
)
@settings(max_examples=50, deadline=None)
def test_an_ellipse_is_one_on_its_edge_and_nought_in_its_centre(
    x: float, y: float, wide: float, high: float, turn: float, angle: float
) -> None:
    canvas = Canvas(2)
    along, across = wide * np.cos(angle), high * np.sin(angle)
    canvas.x = np.array([[x, x + along * np.cos(turn) - across * np.sin(turn)]], np.float32)
    canvas.y = np.array([[y, y + along * np.sin(turn) + across * np.cos(turn)]], np.float32)
    distance = canvas.ellipse((x, y), (wide, high), turn)
    np.testing.assert_allclose(distance, [[0, 1]], atol=2e-3)


@given(
    st.floats(-1.3, 1.3),
    st.floats(-1.3, 1.3),
    st.floats(0.05, 0.6),
    st.floats(0.05, 0.6),
    st.floats(0, np.pi),
)
@settings(max_examples=50, deadline=None)
def test_a_disc_is_all_of_the_inside_of_an_ellipse(
    x: float, y: float, wide: float, high: float, turn: float
) -> None:
    canvas = Canvas(32)
    inside = canvas.ellipse((x, y), (wide, high), turn) < 1
    np.testing.assert_array_equal(canvas.disc((x, y), (wide, high), turn), inside)


@given(st.lists(st.tuples(st.floats(-1.3, 1.3), st.floats(-1.3, 1.3)), min_size=2, max_size=4))
@settings(max_examples=50, deadline=None)
def test_a_stroke_is_all_of_a_line(points: list[tuple[float, float]]) -> None:
    canvas, course = Canvas(32), np.array(points)
    window, drawn = canvas.stroke(course, 0.1)
    field = canvas.blank()
    field[window] = drawn
    np.testing.assert_array_equal(field, canvas.line(course, 0.1))


def test_a_blur_keeps_what_is_there_and_spreads_it_by_its_width() -> None:
    canvas = Canvas(101)
    dot = canvas.blank()
    dot[50, 50] = 1
    blurred = canvas.blur(dot, 0.1)
    assert blurred.sum() == pytest.approx(1, abs=1e-3)
    assert np.sqrt((blurred * canvas.x**2).sum()) == pytest.approx(0.1, rel=0.05)
