"""The built-in competition's files, laid out like the COVID-19 Radiography Database."""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

import cv2
import pandas as pd

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import atomic_write, read_json, write_json, write_table
from kagglecxr.core.progress import Reporter
from kagglecxr.core.seeding import generator
from kagglecxr.data.phantoms.phantom import SIZE, Phantom, draw_phantom

IMAGES = {"COVID": 150, "Lung_Opacity": 210, "Normal": 320, "Viral Pneumonia": 100}
"""The number of images of each class: unbalanced, as in the real data."""


Row = Mapping[str, str | int]
"""An image to be drawn: its path and mask_path, its patient, and what else is known of it."""


def make_demo(folder: Path, seed: int, reporter: Reporter) -> Path:
    """Draws the demo's images, masks and metadata.csv in `folder`, which it returns.

    Files that exist already are kept; images of another seed are removed first.
    """

    def draw(row: Row) -> Phantom:
        return draw_phantom(str(row["label"]), int(row["patient"]), int(row["number"]), seed)

    state = {"seed": seed, "images": IMAGES, "size": SIZE}
    rows = _plan(seed)
    with drawn_folder(folder, state, list(IMAGES)) as is_new:
        if is_new:
            draw_images(folder, rows, draw, reporter)
            table = pd.DataFrame(rows)
            table["patient_id"] = table["patient"].map("P{:04d}".format)
            table["source"] = table["patient"].map(lambda patient: f"hospital-{patient % 3}")
            columns = ["path", "label", "source", "patient_id", "mask_path"]
            write_table(folder / "metadata.csv", table[columns])
    return folder


@contextlib.contextmanager
def drawn_folder(folder: Path, state: Mapping[str, object], parts: Sequence[str]) -> Iterator[bool]:
    """Yields whether a folder is still to be drawn, and marks it as complete after that.

    Args:
        folder: of the images.
        state: what decides how they look; those of another state are removed.
        parts: the sub-folders that are drawn.

    Raises:
        DataError: there are images that were not drawn.
    """
    state_file = folder / "demo.json"
    earlier = read_json(state_file) if state_file.is_file() else {}
    if earlier == {**state, "complete": True}:
        yield False
        return
    if earlier != {**state, "complete": False}:
        _clear(folder, parts, is_ours=bool(earlier))
        write_json(state_file, {**state, "complete": False})
    yield True
    write_json(state_file, {**state, "complete": True})


def draw_images(
    folder: Path, rows: Sequence[Row], draw: Callable[[Row], Phantom], reporter: Reporter
) -> None:
    """Draws the images and masks of rows that are not there yet."""

    def draw_one(row: Row) -> None:
        paths = [folder / str(row[key]) for key in ("path", "mask_path")]
        if all(path.is_file() for path in paths):
            return
        phantom = draw(row)
        for path, pixels in zip(paths, (phantom.image, phantom.mask), strict=True):
            with atomic_write(path) as temporary:
                cv2.imwrite(str(temporary), pixels)

    with (
        reporter.bar("Drawing radiographs", len(rows)) as bar,
        ThreadPoolExecutor(cpu_count()) as pool,
    ):
        for _ in pool.map(draw_one, rows):
            bar.advance()


def _clear(folder: Path, parts: Sequence[str], *, is_ours: bool) -> None:
    existing = [folder / part for part in parts if (folder / part).exists()]
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
