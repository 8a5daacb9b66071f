"""Image files to measure on: phantoms at the Radiography Database's size."""

from pathlib import Path

import cv2
import numpy as np

from kagglecxr.data.phantoms import draw_phantom

SIDE = 299
"""Pixels of a side in the Radiography Database."""
CLASSES = {"COVID": 170, "Lung_Opacity": 280, "Normal": 480, "Viral Pneumonia": 70}
"""Files of each class: its proportions, a thousand in all."""


def write_files(root: Path) -> tuple[list[str], np.ndarray]:
    """Writes one folder a class; the files below `root` and their class ids, in one order."""
    paths, labels = [], []
    for label, (name, count) in enumerate(CLASSES.items()):
        (root / name).mkdir(parents=True)
        # A few drawings, shifted and flipped: files of a radiograph's size and entropy.
        drawn = [draw_phantom(name, patient, 0, seed=0, size=SIDE).image for patient in range(12)]
        for number in range(count):
            shifted = np.roll(drawn[number % 12], number // 12, axis=number % 2)
            paths.append(f"{name}/{number}.png")
            labels.append(label)
            cv2.imwrite(str(root / paths[-1]), shifted)
    return paths, np.array(labels)
