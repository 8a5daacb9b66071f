"""Draws the anatomy of a phantom chest as attenuation: what the beam loses on its way.

Coordinates run from -1 to 1, x to the right of the picture (the patient's left), y downwards.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import splev, splprep

from kagglecxr.data.phantoms.canvas import Canvas, Field, Points
from kagglecxr.data.phantoms.patient import Anatomy

RIGHT, LEFT = -1.0, 1.0
"""The patient's sides, by the sign of x in the picture."""


def smooth_curve(points: list[tuple[float, float]], closed: bool, samples: int = 120) -> Points:
    """A cubic spline through points, (samples, 2)."""
    corners = np.array([*points, points[0]] if closed else points, dtype=np.float64)
    spline, _ = splprep(corners.T, s=0, per=closed)
    return np.stack(splev(np.linspace(0, 1, samples), spline), axis=1)


def lung_outline(anatomy: Anatomy, side: float) -> Points:
    """The outline of one lung: apex, chest wall, costophrenic angle, dome, mediastinum."""
    w, top = anatomy.width, anatomy.apex
    # The liver lifts the right dome, the heart rests on the left one.
    dome = anatomy.dome + (0.0 if side == RIGHT else 0.06)
    inner = 0.13 if side == RIGHT else 0.16
    points = [
        (0.36, top),
        (0.60, top + 0.16),
        (w - 0.06, -0.25),
        (w, 0.20),
        (w + 0.01, dome + 0.20),
        (w - 0.05, dome + 0.22),
        (0.62, dome + 0.05),
        (0.42, dome),
        (0.20, dome + 0.07),
        (inner, dome + 0.05),
        (inner + 0.03, 0.10),
        (inner, -0.30),
        (0.17, top + 0.12),
    ]
    return smooth_curve([(side * x, y) for x, y in points], closed=True)


@dataclass(frozen=True)
class Chest:
    """A drawn chest: attenuation (size, size), and 1 in the visible part of the lungs."""

    attenuation: Field
    lungs: Field


def draw_anatomy(anatomy: Anatomy, canvas: Canvas) -> Chest:
    """A healthy chest."""
    lungs = np.maximum(
        canvas.polygon(lung_outline(anatomy, RIGHT)), canvas.polygon(lung_outline(anatomy, LEFT))
    )
    heart = canvas.disc((anatomy.heart_side, 0.27), (anatomy.heart, 0.27), 0.55)
    centre = _middle(canvas, anatomy)
    body = _body(canvas, anatomy)
    attenuation = anatomy.fat * body
    attenuation += (
        0.30 * canvas.blur((canvas.y > anatomy.dome + 0.05).astype(np.float32), 0.12) * (body > 0)
    )
    air = canvas.blur(lungs, 0.012)
    depth = 0.55 + 0.45 * canvas.blur(lungs, 0.10)
    attenuation -= 0.72 * air * depth
    attenuation += 0.55 * canvas.blur(heart, 0.02)
    attenuation += centre
    attenuation += _ribs(canvas, anatomy) * (body > 0)
    attenuation += _vessels(canvas, anatomy) * air
    attenuation += _breasts(canvas, anatomy)
    bubble = canvas.disc((0.42, anatomy.dome + 0.26), (0.13, 0.07), 0.1)
    attenuation -= 0.25 * canvas.blur(bubble, 0.02)
    seen = lungs * (1 - heart) * (np.abs(canvas.x) > 0.11)
    return Chest(np.maximum(attenuation, 0.0).astype(np.float32), (seen > 0.5).astype(np.float32))


def _body(canvas: Canvas, anatomy: Anatomy) -> Field:
    """The torso as an elliptic cylinder, with shoulders and neck."""
    edge = anatomy.width + 0.14
    outline = smooth_curve(
        [
            (-0.20, -1.30), (-0.24, -0.98), (-0.62, -0.88), (-1.02, -0.72), (-1.04, -0.40),
            (-edge, -0.05), (-edge, 0.60), (-edge - 0.03, 1.30), (edge + 0.03, 1.30), (edge, 0.60),
            (edge, -0.05), (1.04, -0.40), (1.02, -0.72), (0.62, -0.88), (0.24, -0.98),
            (0.20, -1.30),
        ],
        closed=True,
        samples=200,
    )  # fmt: skip
    inside = canvas.polygon(outline)
    thickness = np.sqrt(np.clip(1.05 - (canvas.x / 1.15) ** 2, 0.0, 1.0))
    # Skin and muscle grow over the first centimetres, so the body's edge is soft.
    skin = 0.35 + 0.65 * canvas.blur(inside, 0.06)
    return np.asarray(canvas.blur(inside, 0.015) * skin * thickness, np.float32)


def _middle(canvas: Canvas, anatomy: Anatomy) -> Field:
    """Mediastinum, aortic knob, windpipe and spine."""
    bend = anatomy.curve * np.sin(2.0 * canvas.y)
    x = canvas.x - bend
    wide = 0.13 + 0.03 * canvas.y
    field = 0.38 * canvas.blur((np.abs(x) < wide).astype(np.float32), 0.02)
    knob = canvas.disc((0.14, -0.33), (0.09, 0.10), 0.0)
    field += 0.22 * canvas.blur(knob, 0.012)
    pipe = (np.abs(x - 0.01) < 0.038) & (canvas.y < -0.28)
    field -= 0.22 * canvas.blur(pipe.astype(np.float32), 0.012)
    for side in (RIGHT, LEFT):
        bronchus = np.array([[0.01, -0.28], [side * 0.12, -0.14], [side * 0.2, -0.05]])
        field -= 0.10 * canvas.blur(canvas.line(bronchus, 0.045), 0.01)
    height = 0.125
    vertebrae = canvas.blank()
    for number in range(18):
        y = -1.05 + number * height
        vertebrae += canvas.disc(
            (float(anatomy.curve * np.sin(2.0 * y)), y), (0.075, height * 0.42), 0.0
        )
    field += 0.13 * canvas.blur(vertebrae, 0.008)
    return field.astype(np.float32)


def _ribs(canvas: Canvas, anatomy: Anatomy) -> Field:
    """Ten pairs of ribs, behind flat and in front fainter and steeper; clavicles, blades."""
    # A blur of a sum is the sum of blurs, and costs as much as one of them.
    bones, blades = canvas.blank(), canvas.blank()
    along = np.linspace(0.0, 1.0, 30)
    for side in (RIGHT, LEFT):
        for number in range(10):
            start = anatomy.apex + 0.02 + number * 0.145
            reach = anatomy.width * (0.62 + 0.42 * min(1.0, (number + 1) / 5.0)) - 0.08
            fall = -0.05 + anatomy.slant * (0.5 + 0.08 * number)
            back = np.stack(
                [
                    side * (0.08 + reach * np.sin(along * np.pi / 2) ** 0.9),
                    start - 0.06 * np.sin(along * np.pi) + fall * along**2 + 0.10 * along**6,
                ],
                axis=1,
            )
            _add_tube(canvas, bones, back, 0.050, anatomy.rib_contrast)
            if number < 7:
                front = np.stack(
                    [
                        side * (0.10 + reach - (reach - 0.16) * along),
                        start + fall + 0.12 + 0.30 * along - 0.05 * np.sin(along * np.pi),
                    ],
                    axis=1,
                )
                _add_tube(canvas, bones, front, 0.055, 0.45 * anatomy.rib_contrast)
        clavicle = smooth_curve(
            [
                (side * 0.09, anatomy.apex + 0.20),
                (side * 0.30, anatomy.apex + 0.12),
                (side * 0.58, anatomy.apex + 0.04),
                (side * 0.86, anatomy.apex - 0.02),
            ],
            closed=False,
            samples=40,
        )
        _add_tube(canvas, bones, clavicle, 0.055, 1.6 * anatomy.rib_contrast)
        blade = canvas.disc((side * 0.78, -0.45), (0.10, 0.32), side * 0.25)
        blades += 0.5 * anatomy.rib_contrast * blade
    return canvas.blur(bones, 0.005) + canvas.blur(blades, 0.012)


def _add_tube(canvas: Canvas, field: Field, points: Points, width: float, contrast: float) -> None:
    """Adds a bone: its dense rim attenuates more than its marrow."""
    window, whole = canvas.stroke(points, width)
    marrow = canvas.line(points, 0.55 * width)[window]
    field[window] += contrast * np.maximum(whole - 0.45 * marrow, 0.0)


def _vessels(canvas: Canvas, anatomy: Anatomy) -> Field:
    """Branches that leave each hilum and thin out towards the chest wall."""
    random = np.random.default_rng(anatomy.seed)
    field = canvas.blank()
    for side in (RIGHT, LEFT):
        hilum = np.array([side * 0.20, -0.04])
        knot = canvas.disc((hilum[0], hilum[1]), (0.075, 0.14), -side * 0.3)
        field += 0.8 * anatomy.vessels * canvas.blur(knot, 0.025)
        for _ in range(13):
            heading = random.uniform(-1.25, 1.35)
            reach = random.uniform(0.30, 0.60)
            _branch(canvas, field, hilum, heading, reach, 0.030, side, anatomy.vessels, random)
    return canvas.blur(field, 0.006)


def _branch(
    canvas: Canvas,
    field: Field,
    start: npt.NDArray[np.float64],
    heading: float,
    reach: float,
    width: float,
    side: float,
    contrast: float,
    random: np.random.Generator,
) -> None:
    steps = 8
    headings = np.cumsum([heading, *random.normal(0.0, 0.14, steps)])[1:]
    turns = reach / steps * np.stack([side * np.cos(headings), np.sin(headings)], axis=1)
    course = np.cumsum([start, *turns], axis=0)
    for part in range(0, steps, 2):
        thin, piece = width * (1.0 - 0.8 * part / steps), course[part : part + 3]
        window, drawn = canvas.stroke(piece, thin)
        np.maximum(field[window], contrast * thin / 0.03 * drawn, out=field[window])
    if width > 0.02:
        fork = int(random.integers(3, 6))
        turned = headings[-1] + random.choice([-0.6, 0.6])
        _branch(
            canvas, field, course[fork], turned, reach * 0.55, width * 0.6, side, contrast, random
        )


def _breasts(canvas: Canvas, anatomy: Anatomy) -> Field:
    field = canvas.blank()
    if anatomy.breast:
        for side in (RIGHT, LEFT):
            shape = canvas.ellipse((side * 0.45, 0.34), (0.34, 0.36), 0.0)
            field += anatomy.breast * canvas.blur(
                ((shape < 1) & (canvas.y > 0.05)).astype(np.float32), 0.03
            )
    return field
