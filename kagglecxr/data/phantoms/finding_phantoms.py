"""Drawn chest radiographs with several findings each, for the built-in competition of findings."""

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from kagglecxr.core.seeding import generator
from kagglecxr.data.phantoms.anatomy import LEFT, RIGHT, Chest, draw_anatomy
from kagglecxr.data.phantoms.canvas import Canvas, Field
from kagglecxr.data.phantoms.opacities import consolidation, interstitial, nodule
from kagglecxr.data.phantoms.patient import Anatomy
from kagglecxr.data.phantoms.phantom import SIZE, Phantom, photograph

CARDIOMEGALY = "Cardiomegaly"
LARGER = 1.45
"""How much wider an enlarged heart is."""

Draw = Callable[[Canvas, Chest, Anatomy, np.random.Generator], Field]


def draw_finding_phantom(
    findings: Collection[str], patient: int, number: int, seed: int, size: int = SIZE
) -> Phantom:
    """Draws one image of a patient with any of `FINDINGS`; `number` fixes what is not anatomy."""
    anatomy = Anatomy.of_patient(generator(seed, "patient", patient))
    random = generator(seed, "findings", patient, number)
    anatomy = anatomy.breathed(random.uniform(-0.05, 0.05))
    if CARDIOMEGALY in findings:
        anatomy = replace(anatomy, heart=anatomy.heart * LARGER)
    canvas = Canvas(size)
    chest = draw_anatomy(anatomy, canvas)
    attenuation = chest.attenuation
    for name, draw in _DRAWN.items():
        if name in findings:
            strength = random.uniform(0.6, 1.1)
            drawn = draw(canvas, chest, anatomy, random)
            attenuation = attenuation + strength * canvas.blur(drawn, 0.006)
    return photograph(canvas, attenuation.astype(np.float32), chest.lungs, random)


def _effusion(canvas: Canvas, chest: Chest, anatomy: Anatomy, random: np.random.Generator) -> Field:
    """Fluid at the base of one lung, higher at the chest wall: the meniscus."""
    side = float(random.choice([RIGHT, LEFT]))
    level = anatomy.dome + random.uniform(-0.20, 0.02)
    outwards = np.clip((side * canvas.x - 0.3) / 0.5, 0.0, 1.0)
    below = canvas.y > level - 0.22 * outwards**2
    fluid = below & (np.sign(canvas.x) == side) & (np.abs(canvas.x) < anatomy.width + 0.02)
    fluid &= np.abs(canvas.x) > 0.12
    return np.asarray(0.42 * canvas.blur(fluid.astype(np.float32), 0.02), np.float32)


def _device(canvas: Canvas, chest: Chest, anatomy: Anatomy, random: np.random.Generator) -> Field:
    """A pacemaker below a collar bone, and its lead to the heart."""
    side = float(random.choice([RIGHT, LEFT]))
    box = (side * random.uniform(0.48, 0.6), random.uniform(-0.62, -0.5))
    end = np.array([random.uniform(-0.05, 0.12), random.uniform(0.2, 0.35)])
    way = np.linspace(0, 1, 40)[:, None]
    top = np.array([side * 0.08, -0.72])
    course = (1 - way) ** 2 * np.array(box) + 2 * way * (1 - way) * top + way**2 * end
    lead = 0.5 * canvas.blur(canvas.line(course, 0.012), 0.004)
    return np.asarray(lead + 0.8 * canvas.disc(box, (0.075, 0.095), 0.2), np.float32)


_DRAWN: dict[str, Draw] = {
    "Opacity": lambda canvas, chest, _, random: consolidation(canvas, chest, random),
    "Interstitial": lambda canvas, chest, _, random: interstitial(canvas, chest, random),
    "Effusion": _effusion,
    "Nodule": lambda canvas, chest, _, random: nodule(canvas, chest, random),
    "Device": _device,
}
FINDINGS = (CARDIOMEGALY, *_DRAWN)
