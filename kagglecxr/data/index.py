"""The index: one line an image, read and written with its promises checked."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError, LeakError, shorten
from kagglecxr.core.files import read_table, write_table
from kagglecxr.data.folds import assert_disjoint

COLUMNS = [
    "id", "path", "label", "split", "group", "source", "mask", "width", "height", "phash",
]  # fmt: skip


@dataclass(frozen=True)
class Index:
    """The images of a competition; row i is row i of the cache.

    Attributes:
        table: `id,path,label,split,group,source,mask,width,height,phash`, all text.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        table = self.table
        doubled = table["id"][table["id"].duplicated()]
        if len(doubled):
            raise DataError(
                f"Two images have one id. Received: {shorten(sorted(set(doubled)))}. "
                "Rename one of the files."
            )
        strange = table[~table["split"].isin(["train", "test"])]
        if len(strange):
            raise DataError(
                f"A split is either train or test. Received: "
                f"{shorten(sorted(set(strange['split'])))} at {shorten(list(strange['id']))}. "
                "Mend those cells, or run prepare again."
            )
        told = table[(table["split"] == "test") & (table["label"] != "")]
        if len(told):
            raise LeakError(
                f"The index holds labels of the test part. Received: {len(told)} of them, "
                f"{shorten(list(told['id']))}. Empty those cells, or run prepare again: training "
                "must not see them."
            )
        untold = table[(table["split"] == "train") & (table["label"] == "")]
        if len(untold):
            raise DataError(
                f"Training images have no label. Received: {len(untold)} of them, "
                f"{shorten(list(untold['id']))}. Label them, or set their split to test."
            )

    @property
    def ids(self) -> list[str]:
        """The images' ids."""
        return list(self.table["id"])

    def rows(self, split: str) -> npt.NDArray[np.intp]:
        """The rows of the train or the test part."""
        return np.flatnonzero(self.table["split"].to_numpy() == split)

    def column(self, name: str, rows: npt.NDArray[np.intp]) -> list[str]:
        """One column's cells at some rows."""
        return list(self.table[name].iloc[rows])

    def check_disjoint(self) -> None:
        """Refuses an index whose train and test part share a group."""
        assert_disjoint(
            {split: self.column("group", self.rows(split)) for split in ("train", "test")}
        )


def read_index(path: Path) -> Index:
    """Reads index.csv.

    Raises:
        DataError: columns are missing, or a promise of the index is broken.
    """
    table = read_table(path)
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise DataError(
            f"The index lacks columns. Received: {path} without {shorten(missing)}. "
            "Run prepare again."
        )
    return Index(table[COLUMNS])


def write_index(path: Path, index: Index) -> None:
    """Writes index.csv, whole or not at all."""
    write_table(path, index.table[COLUMNS])


def read_folds(path: Path, index: Index) -> npt.NDArray[np.intp]:
    """The fold of each training image, in the index's order.

    Raises:
        DataError: folds.csv and index.csv do not hold the same training images.
        LeakError: a group lies in several folds.
    """
    table = read_table(path)
    if "id" not in table:
        raise DataError(
            f"The table of folds has no column 'id'. Received: {path} with "
            f"{list(table.columns)}. Run prepare again."
        )
    train = index.rows("train")
    ids = index.column("id", train)
    if sorted(table["id"]) != sorted(ids):
        raise DataError(
            f"The folds and the index hold different training images. Received: {path} with "
            f"{len(table)} ids, an index with {len(ids)}. Run prepare again."
        )
    told = table.get("fold", pd.Series([""] * len(table)))
    wrong = ~told.str.fullmatch(r"[0-9]{1,4}")
    if wrong.any():
        raise DataError(
            f"A fold is a number from 0. Received: {path} with "
            f"{shorten([repr(cell) for cell in told[wrong]])} at "
            f"{shorten(list(table.loc[wrong, 'id']))}. Run prepare again."
        )
    fold: npt.NDArray[np.intp] = np.array(table.set_index("id")["fold"].loc[ids], np.intp)
    groups = np.array(index.column("group", train), dtype=object)
    assert_disjoint({f"fold {k}": list(groups[fold == k]) for k in np.unique(fold)})
    return fold


def write_folds(path: Path, ids: list[str], fold: npt.NDArray[np.intp]) -> None:
    """Writes folds.csv, whole or not at all."""
    write_table(path, pd.DataFrame({"id": ids, "fold": fold}))
