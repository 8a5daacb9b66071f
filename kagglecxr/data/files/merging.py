"""Other data sets that top up the classes of a competition's training part."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.data.sections import Merge


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
