"""The built-in competition: chest radiographs drawn from a seed, classes told by opacities.

Laid out like the COVID-19 Radiography Database. The class is the kind and the place of an
opacity; exposure, position, anatomy and markers vary more than the opacities do, so that grey
values alone do not tell it.
"""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json, write_json, write_table, written_whole
from kagglecxr.core.progress import Reporter
from kagglecxr.core.randomness import generator
from kagglecxr.data.anatomy import Anatomy, Canvas, Chest, Field, draw_anatomy

IMAGES = {"COVID": 150, "Lung_Opacity": 210, "Normal": 320, "Viral Pneumonia": 100}
"""How many images of each class the demo has: unbalanced, as the real data are."""
SIZE = 256


@dataclass(frozen=True)
class Phantom:
    """One drawn radiograph.

    Attributes:
        image: (size, size) uint8.
        mask: (size, size) uint8, 255 in the lungs.
    """

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]


def draw_phantom(label: str, patient: int, number: int, seed: int, size: int = SIZE) -> Phantom:
    """Draws one image of a patient: the anatomy is the patient's, the rest is the image's.

    Args:
        label: a class of `IMAGES`.
        patient: the patient's number.
        number: the image's number among the patient's.
        seed: of the whole competition.
        size: pixels of a side.
    """
    anatomy = Anatomy.of_patient(generator(seed, "patient", patient))
    random = generator(seed, "image", patient, number)
    canvas = Canvas(size)
    chest = draw_anatomy(anatomy.breathed(random.uniform(-0.05, 0.05)), canvas)
    strength = random.uniform(0.5, 1.1)
    opacity = _OPACITIES[label](canvas, chest, random) * strength
    attenuation = chest.attenuation + canvas.blur(opacity, 0.006)
    attenuation = _with_lines(canvas, attenuation, random)
    move = _position(size, random)
    moved = cv2.warpAffine(attenuation, move, (size, size), borderValue=0.0)
    lungs = cv2.warpAffine(chest.lungs, move, (size, size), borderValue=0.0)
    exposed = _expose(moved.astype(np.float32), random)
    marked = _with_marker(exposed, random)
    return Phantom(_detect(marked, random), ((lungs > 0.5) * 255).astype(np.uint8))


def make_demo(folder: Path, seed: int, reporter: Reporter, *, share: float = 1.0) -> Path:
    """Draws the demo's images, masks and metadata.csv; what is there already is kept.

    Args:
        folder: gets one sub-folder a class.
        seed: fixes every pixel.
        reporter: told of every image.
        share: of the images of each class, for tests.

    Returns:
        The folder.
    """
    whole = folder / "demo.json"
    made = {"seed": seed, "share": share, "size": SIZE}
    earlier = read_json(whole) if whole.is_file() else {}
    if earlier == {**made, "whole": True}:
        return folder
    if earlier != {**made, "whole": False}:
        _clear(folder, is_ours=bool(earlier))
        write_json(whole, {**made, "whole": False})
    plan = _plan(seed, share)

    def draw(row: dict[str, str | int]) -> None:
        label, patient, number = str(row["label"]), int(row["patient"]), int(row["number"])
        paths = [folder / str(row[key]) for key in ("path", "mask_path")]
        if all(path.is_file() for path in paths):
            return
        phantom = draw_phantom(label, patient, number, seed)
        for path, pixels in zip(paths, (phantom.image, phantom.mask), strict=True):
            with written_whole(path) as beside:
                cv2.imwrite(str(beside), pixels)

    with (
        reporter.bar("Drawing radiographs", len(plan)) as bar,
        ThreadPoolExecutor(cpu_count()) as pool,
    ):
        for _ in pool.map(draw, plan):
            bar.advance()
    table = pd.DataFrame(plan)
    table["patient_id"] = table["patient"].map("P{:04d}".format)
    table["source"] = table["patient"].map(lambda patient: f"hospital-{patient % 3}")
    columns = ["path", "label", "source", "patient_id", "mask_path"]
    write_table(folder / "metadata.csv", table[columns])
    write_json(whole, {**made, "whole": True})
    return folder


def _clear(folder: Path, is_ours: bool) -> None:
    """Removes the images of another seed, which must never mix with this one's."""
    there = [folder / label for label in IMAGES if (folder / label).exists()]
    if there and not is_ours:
        raise DataError(
            f"The demo's folder holds images that the demo did not draw. Received: {there[0]}. "
            "Name another folder with --work."
        )
    for images in there:
        shutil.rmtree(images)


def _plan(seed: int, share: float) -> list[dict[str, str | int]]:
    """One line an image: a patient has one to four of them."""
    random = generator(seed, "patients")
    plan: list[dict[str, str | int]] = []
    patient = 0
    for label, images in IMAGES.items():
        drawn, wanted = 0, max(1, round(images * share))
        while drawn < wanted:
            for number in range(min(int(random.integers(1, 5)), wanted - drawn)):
                drawn += 1
                name = f"{label}-{drawn}.png"
                plan.append(
                    {
                        "label": label,
                        "patient": patient,
                        "number": number,
                        "path": f"{label}/images/{name}",
                        "mask_path": f"{label}/masks/{name}",
                    }
                )
            patient += 1
    return plan


def _clouds(canvas: Canvas, random: np.random.Generator, grain: float) -> Field:
    """Smooth random texture of mean 0 and standard deviation 1."""
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
    """A patch with a ragged, soft border."""
    axes = (radius * random.uniform(0.7, 1.3), radius * random.uniform(0.7, 1.3))
    distance = canvas.ellipse(centre, axes, random.uniform(0, np.pi))
    ragged = distance + 0.35 * _clouds(canvas, random, 0.05)
    return np.asarray(expit(6.0 * (0.8 - ragged)), np.float32)


def _inside(chest: Chest, canvas: Canvas) -> Field:
    return canvas.blur(chest.lungs, 0.01)


def _normal(canvas: Canvas, chest: Chest, random: np.random.Generator) -> Field:
    return canvas.blank()


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


def _consolidation(canvas: Canvas, chest: Chest, random: np.random.Generator) -> Field:
    """One dense patch in one lung, with air-filled bronchi in it."""
    side = random.choice([-1.0, 1.0])
    deep = canvas.blur(chest.lungs, 0.06) > 0.85
    centre = _somewhere(canvas, deep & (np.sign(canvas.x) == side), random)
    patch = _blob(canvas, centre, random.uniform(0.16, 0.27), random)
    texture = 1.0 + 0.18 * _clouds(canvas, random, 0.02)
    return (0.46 * patch * texture * _inside(chest, canvas)).astype(np.float32)


def _interstitial(canvas: Canvas, chest: Chest, random: np.random.Generator) -> Field:
    """A net of fine lines about both hila (viral pneumonia)."""
    near = np.zeros_like(canvas.x)
    for side in (-1.0, 1.0):
        distance = canvas.ellipse((side * 0.32, 0.02), (0.34, 0.52), 0.0)
        near = np.maximum(near, np.exp(-1.2 * distance))
    net = np.abs(_clouds(canvas, random, 0.028))
    lines = np.exp(-((net / 0.28) ** 2))
    return (0.36 * near * lines * _inside(chest, canvas)).astype(np.float32)


_OPACITIES: dict[str, Callable[[Canvas, Chest, np.random.Generator], Field]] = {
    "COVID": _ground_glass,
    "Lung_Opacity": _consolidation,
    "Normal": _normal,
    "Viral Pneumonia": _interstitial,
}


def _with_lines(canvas: Canvas, attenuation: Field, random: np.random.Generator) -> Field:
    """Leads and their electrodes, on some patients of every class."""
    if random.random() < 0.3:
        for _ in range(int(random.integers(1, 4))):
            start = random.uniform([-0.7, -0.6], [0.7, 0.4])
            end = random.uniform([-1.1, 0.7], [1.1, 1.1])
            bend = (start + end) / 2 + random.normal(0, 0.12, 2)
            way = np.linspace(0, 1, 40)[:, None]
            course = (1 - way) ** 2 * start + 2 * way * (1 - way) * bend + way**2 * end
            attenuation = attenuation + 0.25 * canvas.blur(canvas.line(course, 0.008), 0.004)
            dot = canvas.ellipse((float(start[0]), float(start[1])), (0.03, 0.03), 0.0)
            attenuation = attenuation + 0.45 * (dot < 1)
    return attenuation.astype(np.float32)


def _position(size: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """How the patient stands before the detector."""
    middle = (size - 1) / 2
    turn = cv2.getRotationMatrix2D(
        (middle, middle), random.normal(0, 2.0), random.uniform(0.96, 1.14)
    )
    move: npt.NDArray[np.float64] = np.array(turn, np.float64)
    move[:, 2] += random.uniform(-0.05, 0.05, 2) * size
    return move


def _expose(attenuation: Field, random: np.random.Generator) -> Field:
    """Beer's law, then the film's response; 0 is black, 1 white."""
    shown = 1.0 - np.exp(-random.uniform(1.1, 1.7) * attenuation)
    low, high = np.quantile(shown, [0.01, 0.995])
    shown = np.clip((shown - low) / max(float(high - low), 1e-6), 0.0, 1.0)
    film = shown ** random.uniform(0.8, 1.5)
    return np.asarray(random.uniform(0.0, 0.10) + film * random.uniform(0.72, 0.95), np.float32)


def _with_marker(image: Field, random: np.random.Generator) -> Field:
    """The lead letter for the patient's side, and what some departments print beside it."""
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


def _detect(image: Field, random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Blur and quantum noise, stronger where little light arrives, and 8 bits."""
    soft = cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 0.9))
    grain = random.standard_normal(image.shape).astype(np.float32)
    noisy = soft + random.uniform(0.008, 0.022) * (0.6 + 0.6 * soft) * grain
    return np.asarray(np.clip(np.rint(noisy * 255.0), 0, 255), np.uint8)
