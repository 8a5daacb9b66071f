"""The index (one row per image) and the folds: reading, writing and checking them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError, LeakError, shorten
from kagglecxr.core.files import read_table, write_table
from kagglecxr.core.findings import present_findings
from kagglecxr.data.folds import assert_disjoint

COLUMNS = [
    "id", "path", "label", "split", "group", "source", "mask", "width", "height", "phash",
]  # fmt: skip
MASK_SOURCE = "mask_source"
"""A column more, where anything is known of who drew the masks."""
OUT_OF_FOLD, PREDICTED = "out of fold", "predicted"
"""Sources of masks that `segment` wrote: of images that the net learned from, and of others."""


@dataclass(frozen=True)
class Index:
    """The images of a competition; row i belongs to row i of the cache.

    Attributes:
        table: `id,path,label,split,group,source,mask,width,height,phash,mask_source`, all text.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        table = self.table
        repeated = table["id"][table["id"].duplicated()]
        if len(repeated):
            raise DataError(
                f"Two images have one id. Received: {shorten(sorted(set(repeated)))}. "
                "Rename one of the files."
            )
        unknown = table[~table["split"].isin(["train", "test"])]
        if len(unknown):
            raise DataError(
                f"A split is either train or test. Received: "
                f"{shorten(sorted(set(unknown['split'])))} at {shorten(list(unknown['id']))}. "
                "Correct those cells, or run prepare again."
            )
        labelled = table[(table["split"] == "test") & (table["label"] != "")]
        if len(labelled):
            raise LeakError(
                f"The index holds labels of the test set. Received: {len(labelled)} of them, "
                f"{shorten(list(labelled['id']))}. Empty those cells, or run prepare again: "
                "training must not see them."
            )
        unlabelled = table[(table["split"] == "train") & (table["label"] == "")]
        if len(unlabelled):
            raise DataError(
                f"Training images have no label. Received: {len(unlabelled)} of them, "
                f"{shorten(list(unlabelled['id']))}. Label them, or set their split to test."
            )

    @property
    def ids(self) -> list[str]:
        """The ids of all images."""
        return list(self.table["id"])

    def rows(self, split: str) -> npt.NDArray[np.intp]:
        """Returns the rows of the train or test split."""
        return np.flatnonzero(self.table["split"].to_numpy() == split)

    def column(self, name: str, rows: npt.NDArray[np.intp]) -> list[str]:
        """Returns a column's cells at some rows."""
        return list(self.table[name].iloc[rows])

    def with_label(self, name: str) -> npt.NDArray[np.bool_]:
        """Returns (N,), whether an image is known to have a class, alone or among findings."""
        cells = {cell: name in (cell, *present_findings(cell)) for cell in set(self.table["label"])}
        return np.asarray(self.table["label"].map(cells), np.bool_)

    def check_disjoint(self) -> None:
        """Raises a LeakError if train and test split share a group."""
        assert_disjoint(
            {split: self.column("group", self.rows(split)) for split in ("train", "test")}
        )


def read_index(path: Path) -> Index:
    """Reads index.csv.

    Raises:
        DataError, LeakError: columns are missing, or the index is not valid.
    """
    table = read_table(path)
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise DataError(
            f"The index lacks columns. Received: {path} without {shorten(missing)}. "
            "Run prepare again."
        )
    sources = table.get(MASK_SOURCE, pd.Series("", index=table.index))
    return Index(table[COLUMNS].assign(**{MASK_SOURCE: sources}))


def write_index(path: Path, index: Index) -> None:
    """Writes index.csv atomically."""
    write_table(path, index.table[index_columns(index)])


def index_columns(index: Index) -> list[str]:
    """Returns the columns of index.csv: who drew the masks only where that is known."""
    is_known = MASK_SOURCE in index.table and (index.table[MASK_SOURCE] != "").any()
    return [*COLUMNS, MASK_SOURCE] if is_known else COLUMNS


def read_folds(path: Path, index: Index) -> npt.NDArray[np.intp]:
    """Reads folds.csv.

    Returns:
        (n_train,) int, the fold of each training image in the index's order.

    Raises:
        DataError: folds.csv and index.csv do not hold the same training images.
        LeakError: a group is in several folds.
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
    cells = table.get("fold", pd.Series([""] * len(table)))
    wrong = ~cells.str.fullmatch(r"[0-9]{1,4}")
    if wrong.any():
        raise DataError(
            f"A fold is a whole number of at least 0. Received: {path} with "
            f"{shorten([repr(cell) for cell in cells[wrong]])} at "
            f"{shorten(list(table.loc[wrong, 'id']))}. Run prepare again."
        )
    fold: npt.NDArray[np.intp] = np.array(table.set_index("id")["fold"].loc[ids], np.intp)
    groups = np.array(index.column("group", train), dtype=object)
    assert_disjoint({f"fold {k}": list(groups[fold == k]) for k in np.unique(fold)})
    return fold


def write_folds(path: Path, ids: list[str], fold: npt.NDArray[np.intp]) -> None:
    """Writes folds.csv atomically."""
    write_table(path, pd.DataFrame({"id": ids, "fold": fold}))
