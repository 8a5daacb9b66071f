"""What out-of-fold masks say of a run's others: does cleaning help them, and what is usual?"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import write_text
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

    def to_json(self) -> str:
        """Returns it as JSON, in which no bound is null."""
        bounds = {
            name: [bound if math.isfinite(bound) else None for bound in both]
            for name, both in self.bounds.items()
        }
        return json.dumps({"cleaning": asdict(self.cleaning), "bounds": bounds}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "MaskStandards":
        """Reads what `to_json` returned.

        Raises:
            ValueError: it is something else.
        """
        try:
            values = json.loads(text)
            bounds = {
                name: (
                    -math.inf if low is None else float(low),
                    math.inf if high is None else float(high),
                )
                for name, (low, high) in values["bounds"].items()
            }
            return cls(CleaningGain(**values["cleaning"]), bounds)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(str(error)) from error

    def write(self, folder: Path) -> None:
        """Writes mask_standards.json into a run's folder, atomically."""
        write_text(folder / STANDARDS, f"{self.to_json()}\n")

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
            return cls.from_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"A run's standards of masks cannot be read. Received: {path} ({error}). Remove "
                "that file: it is made again from the run's out-of-fold masks."
            ) from error

    @classmethod
    def of_masks(cls, held_out: HeldOutMasks) -> "MaskStandards":
        """Derives them from out-of-fold masks."""
        cleaning = judge_cleaning(held_out.probabilities >= INSIDE, held_out.truth >= INSIDE)
        bounds = dict(quality_bounds(_qualities(held_out)))
        if not _has_both_views(held_out):
            # One view agrees with itself, so that any other would disagree.
            bounds["agreement"] = (-math.inf, math.inf)
        return cls(cleaning, bounds)


def _has_both_views(held_out: HeldOutMasks) -> bool:
    return {PLAIN_VIEW, HFLIP} <= held_out.by_view.keys()


def _qualities(held_out: HeldOutMasks) -> list[MaskQuality]:
    plain = flipped = held_out.probabilities
    if _has_both_views(held_out):
        plain, flipped = held_out.by_view[PLAIN_VIEW], held_out.by_view[HFLIP]
    scale = np.float32(255)
    return [
        measure_quality(one / scale, other / scale)
        for one, other in zip(plain, flipped, strict=True)
    ]
