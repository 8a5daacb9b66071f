"""Pictures of two lungs with findings: one is in the lungs, one in a corner, one is rare."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kagglecxr.shortcuts.held_out import AuditedImages, Outputs
from kagglecxr.shortcuts.regions import Pixels
from tests.shortcuts.drawn_chests import CORNER, PixelReader, drawn_chests

FINDINGS = ["Bright", "Marked", "Rare"]
RARE = 4
UNKNOWN = 6


def drawn_findings(number: int = 120, *, corner: float) -> AuditedImages:
    """Images whose lungs are brighter with the first finding.

    A white corner says the second in a share of the images, which is not known of the first six;
    the first four have the third.
    """
    audited = drawn_chests(number, corner=0.5)
    random = np.random.default_rng(7)
    marked = random.random(number) < 0.4
    images = audited.images.copy()
    is_white = (random.random(number) < corner) == marked
    images[:, CORNER[0], CORNER[1]] = np.where(is_white, 250, 100)[:, None, None, None]
    truth = np.stack([audited.classes, marked, np.arange(number) < RARE], axis=1)
    truth = truth.astype(np.float32)
    truth[:UNKNOWN, 1] = np.nan
    return dataclasses.replace(audited, images=images, classes=truth)


@dataclass(frozen=True)
class FindingReader:
    """Answers as a run of findings does: each by what it is drawn as, the rare one by chance.

    Attributes:
        reads_corner: whether the second finding is read in the corner; else by chance.
    """

    reads_corner: bool = True

    def predict(self, images: Pixels, folds: npt.NDArray[np.intp]) -> Outputs:
        """Its features are those of `PixelReader`."""
        bright = PixelReader(reads_corner=False).predict(images, folds)
        marked = PixelReader(reads_corner=True).predict(images, folds).probabilities[:, 1]
        luck = np.random.default_rng(3).random((len(images), 2))
        of_corner = marked if self.reads_corner else luck[:, 0]
        columns = [bright.probabilities[:, 1], of_corner, luck[:, 1]]
        return Outputs(np.stack(columns, axis=1).astype(np.float32), bright.features)
