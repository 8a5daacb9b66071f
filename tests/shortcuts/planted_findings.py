"""A small competition of drawn chests with findings, one of which has a letter in the corner."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from kagglecxr.core.progress import Silent
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import load_competition
from kagglecxr.data.phantoms.finding_phantoms import draw_finding_phantom
from kagglecxr.data.prepare import PrepareOptions, prepare_competition
from tests.conftest import PreparedDemo

FINDINGS = ["Device", "Opacity", "Nodule"]
"""What is drawn in lungs and their margin; the second has the letter, the third is too rare."""
RATES = (0.5, 0.5, 0.03)
PLANTED, RIGHT = "Opacity", 0.9
"""The letter is right in so many images."""
SIDE = 48
TOML = """name = "planted"
[source]
kind = "folder"
[classes]
multilabel = true
names = ["Device", "Opacity", "Nodule"]
[layout]
train = ["images/*"]
labels = "findings.csv"
masks = "masks/{stem}.png"
patient = '^(p[0-9]+)_'
[submission]
id = "image"
"""


def prepare_planted(root: Path, number: int) -> PreparedDemo:
    """Draws so many images of as many patients, and prepares them in two folds."""
    random = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    lines = []
    for patient in range(number):
        has = dict(zip(FINDINGS, (random.random(3) < RATES).tolist(), strict=True))
        present = [name for name in FINDINGS if has[name]]
        phantom = draw_finding_phantom(present, patient, 0, 0, 2 * SIDE)
        image = phantom.image.copy()
        if has[PLANTED] == (random.random() < RIGHT):
            cv2.putText(image, "P", (3, 2 * SIDE - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 235, 3)
        name = f"p{patient}_0.png"
        cv2.imwrite(str(root / "images" / name), image)
        cv2.imwrite(str(root / "masks" / name), phantom.mask)
        lines.append({"image": name, "finding": "|".join(present) or "No Finding"})
    pd.DataFrame(lines).to_csv(root / "findings.csv", index=False)
    (root / "planted.toml").write_text(TOML)
    competition = load_competition(root / "planted.toml")
    workspace = Workspace(root / "work", competition.name)
    options = PrepareOptions(root, SIDE, "gray | resize", 0.0, 2, False, 0)
    prepared = prepare_competition(competition, workspace, options, Silent())
    return PreparedDemo(prepared.competition, workspace, prepared)
