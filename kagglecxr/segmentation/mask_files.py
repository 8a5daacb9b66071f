"""Masks as PNG files with a table of their quality, and the masks of a competition's index."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import pandas as pd

from kagglecxr.core.errors import DataError, SettingError, shorten
from kagglecxr.core.files import atomic_write, read_table, write_table
from kagglecxr.inference.predict_files import UNUSUAL
from kagglecxr.segmentation.predicted_mask import Pixels, PredictedMask

FLAGS = "flags.csv"
SUSPICIOUS = "suspicious"
SHEET = "suspicious.png"
"""The picture of suspicious masks."""


@dataclass(frozen=True)
class MaskFolder:
    """A folder of masks, `<name>.png`, and flags.csv."""

    root: Path

    def path(self, name: str) -> Path:
        """Returns where the mask of a name is."""
        return self.root / f"{name}.png"

    def without_own(self, paths: Sequence[str]) -> list[str]:
        """Returns the paths of images, without masks and pictures that were written here."""
        if not (self.root / FLAGS).is_file():
            return list(paths)
        names = [SHEET, *read_table(self.root / FLAGS)["mask"]]
        own = {(self.root / name).resolve() for name in names}
        return [path for path in paths if Path(path).resolve() not in own]

    def check(self, paths: Sequence[str], names: Sequence[str]) -> None:
        """Refuses a folder in which a mask could not be written or would replace something else.

        Raises:
            SettingError: it is a file, or holds the images.
            DataError: a mask would have the name of the picture of suspicious masks.
        """
        if self.root.exists() and not self.root.is_dir():
            raise SettingError(
                f"Masks are written to a folder. Received: the file {self.root}. Name another."
            )
        images = {Path(path).resolve() for path in paths}
        lost = [str(p) for p in map(self.path, names) if p.resolve() in images]
        if lost:
            raise SettingError(
                f"Masks would replace images of the same name. Received: {shorten(lost)}. Name "
                "another folder for them."
            )
        if any(self.path(name) == self.root / SHEET for name in names):
            raise DataError(
                "A mask would have the name of the picture of suspicious masks. Received: an image "
                f"{Path(SHEET).stem}. Give that image another name."
            )

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
    ) -> pd.DataFrame:
        """Writes masks and flags.csv: path, mask, the measures, and what is suspicious in words.

        Where the net tells which images are unlike those that it learned from, a column says so.

        Args:
            predicted: the masks, in any order.
            paths: of the images, by their rows.
            names: of their masks, by the images' rows.

        Returns:
            The table, in the order of the rows.
        """
        lines: dict[int, dict[str, object]] = {}
        for one in predicted:
            self.write_mask(names[one.row], one.mask)
            lines[one.row] = {
                "path": paths[one.row],
                "mask": f"{names[one.row]}.png",
                **asdict(one.quality),
                **({} if one.unusual is None else {UNUSUAL: int(one.unusual)}),
                SUSPICIOUS: ", ".join(one.suspicions),
            }
        table = pd.DataFrame([line for _, line in sorted(lines.items())])
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
