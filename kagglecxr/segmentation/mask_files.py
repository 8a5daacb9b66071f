"""Masks as PNG files with a table of their quality, and the masks of a competition's index."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import atomic_write, write_table
from kagglecxr.segmentation.quality import Bounds, MaskQuality, suspicions
from kagglecxr.segmentation.segmenter import Pixels

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

    def write_flags(
        self, names: Mapping[str, str], qualities: Mapping[str, MaskQuality], bounds: Bounds
    ) -> pd.DataFrame:
        """Writes flags.csv: path, mask, the measures, and in words what is suspicious.

        Args:
            names: the name of each image's mask by the image's path.
            qualities: those of the masks, by their names.
            bounds: beyond which a measure is suspicious.

        Returns:
            The table.
        """
        rows = [
            {
                "path": path,
                "mask": f"{name}.png",
                **asdict(qualities[name]),
                SUSPICIOUS: ", ".join(suspicions(qualities[name], bounds)),
            }
            for path, name in names.items()
        ]
        table = pd.DataFrame(rows)
        write_table(self.root / FLAGS, table)
        return table


def names_of(paths: Sequence[str]) -> dict[str, str]:
    """Returns the name of each image's mask: its file's without suffix.

    Raises:
        DataError: two images would have one mask.
    """
    names = {path: PurePosixPath(path).stem for path in paths}
    seen: dict[str, str] = {}
    twice = [path for path, name in names.items() if seen.setdefault(name, path) != path]
    if twice:
        raise DataError(
            f"Two images have one name, so that their masks would have one file. Received: "
            f"{shorten([f'{path} and {seen[names[path]]}' for path in twice])}. Segment their "
            "folders one by one."
        )
    return names
