"""Masks as PNG files with a table of their quality, and the masks of a competition's index."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import atomic_write, write_table
from kagglecxr.segmentation.quality import Bounds, MaskQuality, suspicions
from kagglecxr.segmentation.segmenter import Pixels, PredictedMask

FLAGS = "flags.csv"
SUSPICIOUS = "suspicious"


@dataclass(frozen=True)
class MaskFolder:
    """A folder of masks, `<name>.png`, and flags.csv."""

    root: Path

    def path(self, name: str) -> Path:
        """Returns where the mask of a name is."""
        return self.root / f"{name}.png"

    def write_mask(self, name: str, mask: Pixels) -> None:
        """Writes a mask (H, W), atomically."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        encoded, data = cv2.imencode(".png", mask)
        if not encoded:
            raise DataError(f"A mask cannot be written as PNG. Received: {path}. Check the disk.")
        with atomic_write(path) as temporary:
            temporary.write_bytes(np.asarray(data).tobytes())

    def write(
        self,
        predicted: Iterable[PredictedMask],
        paths: Sequence[str],
        names: Sequence[str],
        bounds: Bounds,
    ) -> pd.DataFrame:
        """Writes masks and flags.csv: path, mask, the measures, and what is suspicious in words.

        Args:
            predicted: the masks, in any order.
            paths: of the images, by their rows.
            names: of their masks, by the images' rows.
            bounds: beyond which a measure is suspicious.

        Returns:
            The table, in the order of the rows.
        """
        qualities: dict[int, MaskQuality] = {}
        for one in predicted:
            self.write_mask(names[one.row], one.mask)
            qualities[one.row] = one.quality
        lines = [
            {
                "path": paths[row],
                "mask": f"{names[row]}.png",
                **asdict(quality),
                SUSPICIOUS: ", ".join(suspicions(quality, bounds)),
            }
            for row, quality in sorted(qualities.items())
        ]
        table = pd.DataFrame(lines)
        write_table(self.root / FLAGS, table)
        return table


def count_suspicious(flags: pd.DataFrame) -> str:
    """Returns how many masks of flags.csv there are, and how many suspicious ones, in words."""
    return f"{len(flags):,} masks, {(flags[SUSPICIOUS] != '').sum():,} of them suspicious"


def names_of(paths: Sequence[str]) -> list[str]:
    """Returns the name of each image's mask: its file's without suffix.

    Raises:
        DataError: two images would have one mask.
    """
    names = [PurePosixPath(path).stem for path in paths]
    first: dict[str, str] = {}
    both = [(first.setdefault(name, path), path) for path, name in zip(paths, names, strict=True)]
    twice = [f"{other} and {path}" for path, other in both if path != other]
    if twice:
        raise DataError(
            f"Two images have one name, so that their masks would have one file. Received: "
            f"{shorten(twice)}. Segment their folders one by one."
        )
    return names
