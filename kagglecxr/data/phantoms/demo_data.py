"""The built-in competition's files: laid out like the COVID-19 Radiography Database."""

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
"""How many images of each class the demo has: unbalanced, as the real data are."""


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
            with atomic_write(path) as beside:
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
