"""What out-of-fold masks say of a run's others: does cleaning help them, and what is usual?"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.run_record import OOF
from kagglecxr.inference.predictions import PLAIN_VIEW
from kagglecxr.inference.tta import HFLIP
from kagglecxr.segmentation.cleaning import CleaningGain, judge_cleaning
from kagglecxr.segmentation.quality import Bounds, MaskQuality, measure_quality, quality_bounds
from kagglecxr.training.held_out_masks import INSIDE, HeldOutMasks

STANDARDS = "mask_standards.json"


@dataclass(frozen=True)
class MaskStandards:
    """By what the masks of a run are treated and judged.

    Attributes:
        cleaning: what cleaning gains out of fold; masks are cleaned only where it does.
        bounds: beyond which a measure of a mask is suspicious.
    """

    cleaning: CleaningGain
    bounds: Bounds

    def write(self, folder: Path) -> None:
        """Writes mask_standards.json into a run's folder, atomically."""
        write_json(folder / STANDARDS, asdict(self))

    @classmethod
    def of_run(cls, run: Path) -> "MaskStandards":
        """Reads those of a run, or derives and writes them from its out-of-fold masks.

        Raises:
            DataError: a file of the run is damaged.
        """
        path = run / STANDARDS
        if not path.is_file():
            standards = cls.of_masks(HeldOutMasks.load(run / OOF))
            standards.write(run)
            return standards
        try:
            values = read_json(path)
            bounds = {
                name: (float(low), float(high)) for name, (low, high) in values["bounds"].items()
            }
            return cls(CleaningGain(**values["cleaning"]), bounds)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"A run's standards of masks cannot be read. Received: {path} ({error}). Remove "
                "that file: it is made again from the run's out-of-fold masks."
            ) from error

    @classmethod
    def of_masks(cls, held_out: HeldOutMasks) -> "MaskStandards":
        """Derives them from out-of-fold masks."""
        cleaning = judge_cleaning(held_out.probabilities >= INSIDE, held_out.truth >= INSIDE)
        return cls(cleaning, quality_bounds(_qualities(held_out)))


def _qualities(held_out: HeldOutMasks) -> list[MaskQuality]:
    plain = held_out.by_view[PLAIN_VIEW]
    flipped = held_out.by_view.get(HFLIP, plain)
    scale = np.float32(255)
    return [
        measure_quality(one / scale, other / scale)
        for one, other in zip(plain, flipped, strict=True)
    ]
