"""The opacities by which the classes differ in kind and location, as attenuation."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from kagglecxr.data.phantoms.anatomy import Chest
from kagglecxr.data.phantoms.canvas import Canvas, Field


def _clouds(canvas: Canvas, random: np.random.Generator, grain: float) -> Field:
    """Returns a smooth random texture with mean 0 and standard deviation 1."""
    noise = random.standard_normal((canvas.size, canvas.size)).astype(np.float32)
    field = canvas.blur(noise, grain)
    return (field / max(float(field.std()), 1e-6)).astype(np.float32)


def _somewhere(
    canvas: Canvas, where: npt.NDArray[np.bool_], random: np.random.Generator
) -> tuple[float, float]:
    rows, columns = np.nonzero(where)
    pick = int(random.integers(len(rows))) if len(rows) else 0
    row, column = (rows[pick], columns[pick]) if len(rows) else (canvas.size // 2, canvas.size // 4)
    return float(canvas.x[row, column]), float(canvas.y[row, column])


def _blob(
    canvas: Canvas, centre: tuple[float, float], radius: float, random: np.random.Generator
) -> Field:
    """Returns a patch with a ragged, soft border."""
    axes = (radius * random.uniform(0.7, 1.3), radius * random.uniform(0.7, 1.3))
    distance = canvas.ellipse(centre, axes, random.uniform(0, np.pi))
    ragged = distance + 0.35 * _clouds(canvas, random, 0.05)
    return np.asarray(expit(6.0 * (0.8 - ragged)), np.float32)


def _inside(chest: Chest, canvas: Canvas) -> Field:
    return canvas.blur(chest.lungs, 0.01)


def _ground_glass(canvas: Canvas, chest: Chest, random: np.random.Generator) -> Field:
    """Hazy patches on both sides, at the edge of the lungs and low (COVID-19)."""
    rim = chest.lungs * (canvas.blur(chest.lungs, 0.09) < 0.75) * (np.abs(canvas.x) > 0.35)
    field = canvas.blank()
    for side in (-1.0, 1.0):
        place = (rim > 0.5) & (np.sign(canvas.x) == side) & (canvas.y > -0.25)
        for _ in range(int(random.integers(2, 5))):
            patch = _blob(canvas, _somewhere(canvas, place, random), 0.15, random)
            field = np.maximum(field, random.uniform(0.6, 1.0) * patch)
    return (0.36 * field * _inside(chest, canvas)).astype(np.float32)


def consolidation(canvas: Canvas, chest: Chest, random: np.random.Generator) -> Field:
    """One dense patch in one lung, with air-filled bronchi in it."""
    side = random.choice([-1.0, 1.0])
    deep = canvas.blur(chest.lungs, 0.06) > 0.85
    centre = _somewhere(canvas, deep & (np.sign(canvas.x) == side), random)
    patch = _blob(canvas, centre, random.uniform(0.16, 0.27), random)
    texture = 1.0 + 0.18 * _clouds(canvas, random, 0.02)
    return (0.46 * patch * texture * _inside(chest, canvas)).astype(np.float32)


def interstitial(canvas: Canvas, chest: Chest, random: np.random.Generator) -> Field:
    """A net of fine lines about both hila (viral pneumonia)."""
    near = np.zeros_like(canvas.x)
    for side in (-1.0, 1.0):
        distance = canvas.ellipse((side * 0.32, 0.02), (0.34, 0.52), 0.0)
        near = np.maximum(near, np.exp(-1.2 * distance))
    net = np.abs(_clouds(canvas, random, 0.028))
    lines = np.exp(-((net / 0.28) ** 2))
    return (0.36 * near * lines * _inside(chest, canvas)).astype(np.float32)


def nodule(canvas: Canvas, chest: Chest, random: np.random.Generator) -> Field:
    """One small round shadow in a lung."""
    deep = canvas.blur(chest.lungs, 0.05) > 0.9
    radius = random.uniform(0.045, 0.07)
    spot = canvas.disc(_somewhere(canvas, deep, random), (radius, radius))
    return (0.5 * canvas.blur(spot, 0.012)).astype(np.float32)


OPACITIES: dict[str, Callable[[Canvas, Chest, np.random.Generator], Field]] = {
    "COVID": _ground_glass,
    "Lung_Opacity": consolidation,
    "Normal": lambda canvas, chest, random: canvas.blank(),
    "Viral Pneumonia": interstitial,
}
