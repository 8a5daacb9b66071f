"""The built-in competition's files, laid out like the COVID-19 Radiography Database."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

import cv2
import pandas as pd

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import atomic_write, read_json, write_json, write_table
from kagglecxr.core.progress import Reporter
from kagglecxr.core.seeding import generator
from kagglecxr.data.phantoms.phantom import SIZE, draw_phantom

IMAGES = {"COVID": 150, "Lung_Opacity": 210, "Normal": 320, "Viral Pneumonia": 100}
"""The number of images of each class: unbalanced, as in the real data."""


def make_demo(folder: Path, seed: int, reporter: Reporter) -> Path:
    """Draws the demo's images, masks and metadata.csv in `folder`, which it returns.

    Files that exist already are kept; images of another seed are removed first.
    """
    state_file = folder / "demo.json"
    state = {"seed": seed, "images": IMAGES, "size": SIZE}
    earlier = read_json(state_file) if state_file.is_file() else {}
    if earlier == {**state, "complete": True}:
        return folder
    if earlier != {**state, "complete": False}:
        _clear(folder, is_ours=bool(earlier))
        write_json(state_file, {**state, "complete": False})
    rows = _plan(seed)

    def draw(row: dict[str, str | int]) -> None:
        label, patient, number = str(row["label"]), int(row["patient"]), int(row["number"])
        paths = [folder / str(row[key]) for key in ("path", "mask_path")]
        if all(path.is_file() for path in paths):
            return
        phantom = draw_phantom(label, patient, number, seed)
        for path, pixels in zip(paths, (phantom.image, phantom.mask), strict=True):
            with atomic_write(path) as temporary:
                cv2.imwrite(str(temporary), pixels)

    with (
        reporter.bar("Drawing radiographs", len(rows)) as bar,
        ThreadPoolExecutor(cpu_count()) as pool,
    ):
        for _ in pool.map(draw, rows):
            bar.advance()
    table = pd.DataFrame(rows)
    table["patient_id"] = table["patient"].map("P{:04d}".format)
    table["source"] = table["patient"].map(lambda patient: f"hospital-{patient % 3}")
    columns = ["path", "label", "source", "patient_id", "mask_path"]
    write_table(folder / "metadata.csv", table[columns])
    write_json(state_file, {**state, "complete": True})
    return folder


def _clear(folder: Path, is_ours: bool) -> None:
    existing = [folder / label for label in IMAGES if (folder / label).exists()]
    if existing and not is_ours:
        raise DataError(
            f"The demo's folder holds images that the demo did not draw. Received: {existing[0]}. "
            "Name another folder with --work."
        )
    for images in existing:
        shutil.rmtree(images)


def _plan(seed: int) -> list[dict[str, str | int]]:
    """Returns one row per image; a patient has one to four images."""
    random = generator(seed, "patients")
    rows: list[dict[str, str | int]] = []
    patient = 0
    for label, images in IMAGES.items():
        drawn = 0
        while drawn < images:
            for number in range(min(int(random.integers(1, 5)), images - drawn)):
                drawn += 1
                row: dict[str, str | int] = {"label": label, "patient": patient, "number": number}
                for column, kind in (("path", "images"), ("mask_path", "masks")):
                    row[column] = f"{label}/{kind}/{label}-{drawn}.png"
                rows.append(row)
            patient += 1
    return rows
