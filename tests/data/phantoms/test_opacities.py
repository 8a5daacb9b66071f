"""Opacities: in the lungs, and enough of them to be seen."""

import numpy as np
import pytest

from kagglecxr.core.seeding import generator
from kagglecxr.data.phantoms.anatomy import draw_anatomy
from kagglecxr.data.phantoms.canvas import Canvas
from kagglecxr.data.phantoms.opacities import OPACITIES
from kagglecxr.data.phantoms.patient import Anatomy
from kagglecxr.data.phantoms.phantom import expose


@pytest.mark.parametrize("label", [label for label in OPACITIES if label != "Normal"])
def test_an_opacity_brightens_the_lungs_of_the_same_patient_and_nothing_else(label: str) -> None:
    canvas = Canvas(64)
    for patient in range(5):
        chest = draw_anatomy(Anatomy.of_patient(generator(0, "patient", patient)), canvas)
        lungs = chest.lungs > 0
        opacity = OPACITIES[label](canvas, chest, generator(0, "opacity", patient))
        assert opacity.min() >= 0
        assert opacity[~lungs].mean() < 0.05 * opacity[lungs].mean()
        # The same exposure for both, so that the opacity is all that differs.
        normal, ill = (
            expose(field.astype(np.float32), generator(0, "exposure", patient))
            for field in (chest.attenuation, chest.attenuation + opacity)
        )
        assert (ill[lungs].mean() - normal[lungs].mean()) * 255 > 1.5


def test_a_normal_chest_has_no_opacity() -> None:
    canvas = Canvas(32)
    chest = draw_anatomy(Anatomy.of_patient(generator(0, "patient", 0)), canvas)
    assert not OPACITIES["Normal"](canvas, chest, generator(0)).any()
