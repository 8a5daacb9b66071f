"""The proportions that differ between patients, in the canvas' coordinates."""

import dataclasses
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Anatomy:
    """One patient's proportions and the attenuation of the organs.

    Attributes:
        apex, dome: y of the tops of the lungs and of the right diaphragm.
        slant: how much lower ribs are at the side.
        heart, heart_side: half the heart's width, and x of its middle.
        curve: sideways bend of the spine.
    """

    width: float
    apex: float
    dome: float
    slant: float
    heart: float
    heart_side: float
    rib_contrast: float
    fat: float
    vessels: float
    breast: float
    curve: float
    seed: int

    @classmethod
    def of_patient(cls, random: np.random.Generator) -> "Anatomy":
        """Draws a patient's anatomy."""
        return cls(
            width=random.uniform(0.70, 0.84),
            apex=random.uniform(-0.84, -0.70),
            dome=random.uniform(0.30, 0.50),
            slant=random.uniform(0.10, 0.30),
            heart=random.uniform(0.26, 0.38),
            heart_side=random.uniform(0.07, 0.16),
            rib_contrast=random.uniform(0.10, 0.20),
            fat=random.uniform(0.7, 1.2),
            vessels=random.uniform(0.10, 0.20),
            breast=random.choice([0.0, random.uniform(0.05, 0.2)]),
            curve=random.uniform(-0.05, 0.05),
            seed=int(random.integers(2**31)),
        )

    def breathed(self, depth: float) -> "Anatomy":
        """Returns the same patient with the diaphragm lower (depth above 0) or higher."""
        return dataclasses.replace(self, dome=self.dome + depth)
