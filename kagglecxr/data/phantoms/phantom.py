"""One drawn chest radiograph with its exact lung mask.

Leads, position, exposure, marker and detector do not depend on the class, and they vary more than
the opacities do, so that grey values alone do not reveal a class.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from kagglecxr.core.seeding import generator
from kagglecxr.data.phantoms.anatomy import draw_anatomy
from kagglecxr.data.phantoms.canvas import Canvas, Field
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
    return photograph(canvas, attenuation, chest.lungs, random)


def photograph(
    canvas: Canvas, attenuation: Field, lungs: Field, random: np.random.Generator
) -> Phantom:
    """Takes the radiograph of a drawn chest, with its leads, position, exposure and marker."""
    size = canvas.size
    attenuation = with_lines(canvas, attenuation, random)
    move = position(size, random)
    moved = cv2.warpAffine(attenuation, move, (size, size), borderValue=0.0)
    seen = cv2.warpAffine(lungs, move, (size, size), borderValue=0.0)
    exposed = expose(moved.astype(np.float32), random)
    marked = with_marker(exposed, random)
    return Phantom(detect(marked, random), ((seen > 0.5) * 255).astype(np.uint8))


def with_lines(canvas: Canvas, attenuation: Field, random: np.random.Generator) -> Field:
    """Adds leads and their electrodes to some patients of every class."""
    if random.random() < 0.3:
        for _ in range(int(random.integers(1, 4))):
            start = random.uniform([-0.7, -0.6], [0.7, 0.4])
            end = random.uniform([-1.1, 0.7], [1.1, 1.1])
            bend = (start + end) / 2 + random.normal(0, 0.12, 2)
            way = np.linspace(0, 1, 40)[:, None]
            course = (1 - way) ** 2 * start + 2 * way * (1 - way) * bend + way**2 * end
            attenuation = attenuation + 0.25 * canvas.blur(canvas.line(course, 0.008), 0.004)
            dot = canvas.disc((float(start[0]), float(start[1])), (0.03, 0.03))
            attenuation = attenuation + 0.45 * dot
    return attenuation.astype(np.float32)


def position(size: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draws the patient's position as an affine matrix (2, 3)."""
    middle = (size - 1) / 2
    turn = cv2.getRotationMatrix2D(
        (middle, middle), random.normal(0, 2.0), random.uniform(0.96, 1.14)
    )
    move: npt.NDArray[np.float64] = np.array(turn, np.float64)
    move[:, 2] += random.uniform(-0.05, 0.05, 2) * size
    return move


def expose(attenuation: Field, random: np.random.Generator) -> Field:
    """Applies Beer's law and the film's response; 0 is black, 1 white."""
    shown = 1.0 - np.exp(-random.uniform(1.1, 1.7) * attenuation)
    low, high = np.quantile(shown, [0.01, 0.995])
    shown = np.clip((shown - low) / max(float(high - low), 1e-6), 0.0, 1.0)
    film = shown ** random.uniform(0.8, 1.5)
    return np.asarray(random.uniform(0.0, 0.10) + film * random.uniform(0.72, 0.95), np.float32)


def with_marker(image: Field, random: np.random.Generator) -> Field:
    """Adds the letter of the patient's side with the text some departments print, and a border."""
    size = image.shape[0]
    right = random.random() < 0.5
    text = ("R" if right else "L") + str(random.choice(["", "", " AP", " PA", " PORT"]))
    x = int(size * (random.uniform(0.03, 0.12) if right else random.uniform(0.72, 0.84)))
    y = int(size * random.uniform(0.07, 0.18))
    scale = size / 256 * random.uniform(0.4, 0.75)
    letters = np.zeros(image.shape, np.uint8)
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, size // 160)
    cv2.putText(letters, text, (x, y), font, scale, 255, thick, cv2.LINE_AA)
    lead = letters.astype(np.float32) / 255.0
    marked = np.asarray(image * (1.0 - lead) + 0.95 * lead, np.float32)
    if random.random() < 0.25:
        border = int(size * random.uniform(0.02, 0.06))
        marked[:, :border] = 0.0
        marked[:, size - border :] = 0.0
    return marked


def detect(image: Field, random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Adds blur and quantum noise and converts to 8 bits."""
    soft = cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 0.9))
    grain = random.standard_normal(image.shape).astype(np.float32)
    noisy = soft + random.uniform(0.008, 0.022) * (0.6 + 0.6 * soft) * grain
    return np.asarray(np.clip(np.rint(noisy * 255.0), 0, 255), np.uint8)
