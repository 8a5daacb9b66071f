"""The chest that is drawn of a patient's anatomy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.seeding import generator
from kagglecxr.data.phantoms.anatomy import LEFT, RIGHT, draw_anatomy, lung_outline, smooth_curve
from kagglecxr.data.phantoms.canvas import Canvas
from kagglecxr.data.phantoms.patient import Anatomy


def patient(number: int) -> Anatomy:
    return Anatomy.of_patient(generator(0, "patient", number))


@pytest.mark.parametrize("closed", [True, False])
def test_a_curve_passes_its_points_and_closes_where_it_should(closed: bool) -> None:
    points = [(0.0, 0.0), (0.5, 0.2), (0.6, 0.8), (0.1, 0.9)]
    curve = smooth_curve(points, closed, samples=2000)
    assert curve.shape == (2000, 2)
    for point in points:
        assert np.linalg.norm(curve - point, axis=1).min() < 1e-2
    ends = np.linalg.norm(curve[0] - curve[-1])
    assert (ends < 1e-6) == closed


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_each_lung_lies_on_its_side_and_in_the_picture(number: int) -> None:
    anatomy = patient(number)
    right, left = lung_outline(anatomy, RIGHT), lung_outline(anatomy, LEFT)
    assert right[:, 0].max() < 0 < left[:, 0].min()
    for outline in (right, left):
        assert np.abs(outline).max() < 1
    # The liver lifts the right dome: the right lung is the shorter one.
    assert left[:, 1].max() > right[:, 1].max()


def test_a_chest_is_fixed_by_its_anatomy_and_patients_differ() -> None:
    canvas = Canvas(48)
    one, same, other = (draw_anatomy(patient(number), canvas) for number in (1, 1, 2))
    np.testing.assert_array_equal(one.attenuation, same.attenuation)
    np.testing.assert_array_equal(one.lungs, same.lungs)
    assert not np.array_equal(one.attenuation, other.attenuation)
    assert not np.array_equal(one.lungs, other.lungs)
    assert patient(1) == patient(1) != patient(2)


def test_lungs_let_more_light_through_than_the_rest_of_the_body() -> None:
    canvas = Canvas(64)
    for number in range(5):
        chest = draw_anatomy(patient(number), canvas)
        assert chest.attenuation.dtype == chest.lungs.dtype == np.float32
        assert chest.attenuation.min() == 0
        assert set(np.unique(chest.lungs)) == {0, 1}
        lungs = chest.lungs > 0
        body = (chest.attenuation > 0.2) & ~lungs
        assert chest.attenuation[lungs].mean() < 0.7 * chest.attenuation[body].mean()
        # Air next to the body takes nothing away.
        assert chest.attenuation[0, [0, -1]].max() < 0.01


def test_a_deeper_breath_makes_larger_lungs_of_the_same_patient() -> None:
    canvas, anatomy = Canvas(64), patient(4)
    out, rest, deep = (
        draw_anatomy(anatomy.breathed(depth), canvas).lungs.sum() for depth in (-0.05, 0.0, 0.05)
    )
    assert out < rest < deep
    assert anatomy.breathed(0.05).seed == anatomy.seed


def test_a_chest_looks_the_same_at_any_size() -> None:
    small, large = (draw_anatomy(patient(6), Canvas(size)) for size in (64, 192))
    assert small.lungs.mean() == pytest.approx(large.lungs.mean(), rel=0.05)
    assert small.attenuation.mean() == pytest.approx(large.attenuation.mean(), rel=0.05)
