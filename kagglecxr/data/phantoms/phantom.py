"""One drawn chest radiograph with its exact lung mask."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.seeding import generator
from kagglecxr.data.phantoms import film
from kagglecxr.data.phantoms.anatomy import draw_anatomy
from kagglecxr.data.phantoms.canvas import Canvas
from kagglecxr.data.phantoms.opacities import OPACITIES
from kagglecxr.data.phantoms.patient import Anatomy

SIZE = 256
"""Side length of an image in pixels."""


@dataclass(frozen=True)
class Phantom:
    """A drawn radiograph and its lung mask, (size, size) uint8, 255 in the lungs."""

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]


def draw_phantom(label: str, patient: int, number: int, seed: int, size: int = SIZE) -> Phantom:
    """Draws one image of a patient, whose number fixes the anatomy; `number` fixes the rest."""
    anatomy = Anatomy.of_patient(generator(seed, "patient", patient))
    random = generator(seed, "image", patient, number)
    canvas = Canvas(size)
    chest = draw_anatomy(anatomy.breathed(random.uniform(-0.05, 0.05)), canvas)
    strength = random.uniform(0.5, 1.1)
    opacity = OPACITIES[label](canvas, chest, random) * strength
    attenuation = chest.attenuation + canvas.blur(opacity, 0.006)
    attenuation = film.with_lines(canvas, attenuation, random)
    move = film.position(size, random)
    moved = cv2.warpAffine(attenuation, move, (size, size), borderValue=0.0)
    lungs = cv2.warpAffine(chest.lungs, move, (size, size), borderValue=0.0)
    exposed = film.expose(moved.astype(np.float32), random)
    marked = film.with_marker(exposed, random)
    return Phantom(film.detect(marked, random), ((lungs > 0.5) * 255).astype(np.uint8))
