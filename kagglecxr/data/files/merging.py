"""Other data sets that are merged into a competition's training part."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.data.competition import PRESETS, Competition, load_competition, preset_names
from kagglecxr.data.schema import Merge, Source


def merged_folder(root: Path, part: Merge) -> Path:
    """Where a data set to merge is: in the data folder, or beside it as Kaggle mounts it.

    Raises:
        MissingError: in neither.
    """
    given = Path(part.data).expanduser()
    places = list(dict.fromkeys([root / given, root.parent / given]))
    for place in places:
        if place.is_dir():
            return place
    raise MissingError(
        f"A data set to merge is not there. Received: {part.data!r}, looked for "
        f"{' and '.join(map(str, places))}. Download it to there, or name its folder under "
        "[[merge]] data."
    )


def as_merged(found: pd.DataFrame, place: Path, root: Path, part: Merge) -> pd.DataFrame:
    """A data set's images as lines of the index they are merged into.

    Ids and groups begin with the data set's name, so that they meet none of the others'. Paths
    become such that `root / path` is the file.

    Args:
        found: `id,path,label,split,group,source,mask` of the data set, paths below `place`.
        place: its folder.
        root: the data folder of the index.
        part: its description.

    Raises:
        DataError: one of its classes has no images.
    """
    absent = sorted(set(part.classes.values()) - set(found["label"]))
    if absent:
        folders = [folder for folder, name in part.classes.items() if name in absent]
        raise DataError(
            f"A data set to merge has no images of a class. Received: none in {shorten(folders)} "
            f"of {place}. Check [[merge]] classes and train."
        )
    if part.limit is not None and part.limit < len(found):
        rows = np.linspace(0, len(found) - 1, part.limit).round().astype(int)
        found = found.sort_values("id").iloc[rows]
    # Relative where the description is, so that both folders can be moved together.
    whole = Path(part.data).expanduser().is_absolute()
    start = place if whole else Path(os.path.relpath(place, root))

    def elsewhere(path: str) -> str:
        return (start / path).as_posix() if path else ""

    return found.assign(
        id=f"{part.name}/" + found["id"],
        path=found["path"].map(elsewhere),
        mask=found["mask"].map(elsewhere),
        group=[f"{part.name}/{group}" if group else "" for group in found["group"]],
        source=part.name,
    )


@dataclass(frozen=True)
class MergedSource:
    """A data set that joins a competition's training part.

    Attributes:
        data: as the competition names it.
        folder: where it is expected.
        source: where it comes from; None where no preset tells.
        is_brought: it is in the data's folder already.
    """

    data: str
    folder: Path
    source: Source | None
    is_brought: bool


def merged_sources(competition: Competition, root: Path) -> list[MergedSource]:
    """The data sets a competition merges; a preset of the same name tells where one comes from.

    Args:
        competition: its description.
        root: its own data's folder; theirs lie beside it.
    """
    return [
        MergedSource(
            part.data,
            root.parent / Path(part.data).expanduser(),
            _source_of(part.data),
            (root / part.data).is_dir(),
        )
        for part in competition.merge
    ]


def _source_of(data: str) -> Source | None:
    source = load_competition(data).source if data in preset_names() else None
    return source if source and source.kind in ("competition", "dataset") else None


def hashes_file(name: str, competition: Competition) -> Path | None:
    """The list of hashes that a competition's TOML names, which lies beside it.

    Args:
        name: the preset or the TOML file the competition was loaded by.
        competition: its description.
    """
    listed = competition.source.sha256sums
    if not listed:
        return None
    folder = PRESETS if name in preset_names() else Path(name).parent
    return folder / listed
