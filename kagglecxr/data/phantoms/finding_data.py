"""The files of the built-in competition of findings: flat images, and a table that joins them."""

from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.files import write_table
from kagglecxr.core.findings import NO_FINDING, join_findings
from kagglecxr.core.progress import Reporter
from kagglecxr.core.seeding import generator
from kagglecxr.data.phantoms.demo_data import Row, draw_images, drawn_folder
from kagglecxr.data.phantoms.finding_phantoms import FINDINGS, draw_finding_phantom
from kagglecxr.data.phantoms.phantom import SIZE, Phantom

PATIENTS = 300
RATES = {
    "Cardiomegaly": 0.20,
    "Opacity": 0.28,
    "Interstitial": 0.15,
    "Effusion": 0.15,
    "Nodule": 0.04,
    "Device": 0.22,
}
"""How frequent each finding is; a nodule is rare."""
TOGETHER = 0.35
"""How much more frequent an effusion is with a large heart, as in heart failure."""
TABLE = "findings.csv"


def make_finding_demo(folder: Path, seed: int, reporter: Reporter) -> Path:
    """Draws the images and masks of findings and their table in `folder`, which it returns.

    Files that exist already are kept; images of another seed are removed first.
    """

    def draw(row: Row) -> Phantom:
        findings = str(row["Finding Labels"]).split("|")
        return draw_finding_phantom(findings, int(row["patient"]), int(row["number"]), seed)

    state = {"seed": seed, "patients": PATIENTS, "rates": RATES, "size": SIZE}
    rows = _plan(seed)
    with drawn_folder(folder, state, ["images", "masks"]) as is_new:
        if is_new:
            draw_images(folder, rows, draw, reporter)
            table = pd.DataFrame(rows).assign(
                image=lambda lines: lines["path"].str.removeprefix("images/"),
                patient_id=lambda lines: lines["patient"].map("P{:04d}".format),
            )
            write_table(folder / TABLE, table[["image", "Finding Labels", "patient_id"]])
    return folder


def _plan(seed: int) -> list[dict[str, str | int]]:
    """Returns one row per image; a patient has one to three, with the same findings or fewer."""
    random = generator(seed, "patients with findings")
    rows: list[dict[str, str | int]] = []
    for patient in range(PATIENTS):
        of_patient = _findings_of_patient(random)
        for number in range(int(random.integers(1, 4))):
            present = {name for name in of_patient if number == 0 or random.random() < 0.8}
            name = f"{patient:04d}_{number}.png"
            rows.append(
                {
                    "path": f"images/{name}",
                    "mask_path": f"masks/{name}",
                    "Finding Labels": join_findings(present, (), FINDINGS, NO_FINDING),
                    "patient": patient,
                    "number": number,
                }
            )
    return rows


def _findings_of_patient(random: np.random.Generator) -> list[str]:
    present = [name for name, rate in RATES.items() if random.random() < rate]
    if "Cardiomegaly" in present and "Effusion" not in present and random.random() < TOGETHER:
        present.append("Effusion")
    # Sorted by a fixed order, since a set has none that repeats.
    return [name for name in FINDINGS if name in present]
