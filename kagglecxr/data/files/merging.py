"""Other data sets that are merged into a competition's training set."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.data.competition import Competition, load_competition, preset_names
from kagglecxr.data.schema import Merge, Source


@dataclass(frozen=True)
class MergedSource:
    """Where a merged data set can be downloaded from (None if no preset says), and is expected."""

    data: str
    folder: Path
    source: Source | None
    is_brought: bool


def merged_sources(competition: Competition, root: Path) -> list[MergedSource]:
    """Returns the data sets that a competition merges; a preset of the same name has the source."""
    return [
        MergedSource(
            part.data,
            root.parent / Path(part.data).expanduser(),
            _downloadable_source(part.data),
            (root / part.data).is_dir(),
        )
        for part in competition.merge
    ]


def _downloadable_source(data: str) -> Source | None:
    source = load_competition(data).source if data in preset_names() else None
    return source if source and source.kind in ("competition", "dataset") else None


def merged_folder(root: Path, part: Merge) -> Path:
    """Finds a merged data set's folder in the data folder or, as Kaggle mounts it, in its parent.

    Raises:
        MissingError: it is in neither.
    """
    given = Path(part.data).expanduser()
    candidates = list(dict.fromkeys([root / given, root.parent / given]))
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise MissingError(
        f"A data set to merge is missing. Received: {part.data!r}, looked for "
        f"{' and '.join(map(str, candidates))}. Download it to one of them, or name its folder "
        "under [[merge]] data."
    )


def merged_rows(found: pd.DataFrame, folder: Path, root: Path, part: Merge) -> pd.DataFrame:
    """Converts a merged data set's images into rows of the competition's index.

    Ids and groups get the data set's name as a prefix, so that they are unique. Paths become
    relative to `root`, or absolute if the data set's folder was given as an absolute path.

    Raises:
        DataError: one of its classes has no images.
    """
    absent = sorted(set(part.classes.values()) - set(found["label"]))
    if absent:
        folders = [name for name, label in part.classes.items() if label in absent]
        raise DataError(
            f"A data set to merge has no images of a class. Received: none in {shorten(folders)} "
            f"of {folder}. Check [[merge]] classes and train."
        )
    if part.limit is not None and part.limit < len(found):
        rows = np.linspace(0, len(found) - 1, part.limit).round().astype(int)
        found = found.sort_values("id").iloc[rows]
    # Relative paths stay valid when both folders are moved together.
    is_absolute = Path(part.data).expanduser().is_absolute()
    prefix = folder if is_absolute else Path(os.path.relpath(folder, root))

    def from_root(path: str) -> str:
        return (prefix / path).as_posix() if path else ""

    return found.assign(
        id=f"{part.name}/" + found["id"],
        path=found["path"].map(from_root),
        mask=found["mask"].map(from_root),
        group=[f"{part.name}/{group}" if group else "" for group in found["group"]],
        source=part.name,
    )
