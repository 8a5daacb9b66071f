"""Removes the training images that leak from index and cache, and writes the reasons."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import write_table, write_text
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import Cache, copy_cache_rows
from kagglecxr.data.cache.image_loader import file_checksums
from kagglecxr.data.index import Index
from kagglecxr.data.leakage.leak_report import leak_report, left_out_sentence
from kagglecxr.data.leakage.leaks import Leaks


def same_files(root: Path, found: pd.DataFrame, pairs: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Returns (P,) bool, whether the two files of each pair have the same CRC-32."""
    equal = pairs[(pairs["distance"] == 0) & (pairs["correlation"] == 1.0)]
    names = sorted({*equal["first"], *equal["second"]})
    paths = list(found.set_index("id")["path"].loc[names])
    checksum = dict(zip(names, file_checksums(root, paths), strict=True))
    both = zip(pairs["first"], pairs["second"], strict=True)
    return np.array([checksum.get(a, -1) == checksum.get(b, -2) for a, b in both], np.bool_)


def remove_leaks(
    left_out: pd.DataFrame,
    found: pd.DataFrame,
    cache: Cache,
    workspace: Workspace,
    reporter: Reporter,
) -> tuple[pd.DataFrame, Cache]:
    """Removes training images from the table and the cache, whose row i stays image i.

    Raises:
        DataError: no training image of a class would remain.
    """
    if left_out.empty:
        return found, cache
    keep = ~found["id"].isin(left_out["id"])
    train = found["split"] == "train"
    lost = sorted(set(found.loc[train, "label"]) - set(found.loc[train & keep, "label"]))
    if lost:
        removed = found["id"][train & ~keep & found["label"].isin(lost)]
        reasons = left_out.loc[left_out["id"].isin(removed), "reason"].unique()
        raise DataError(
            f"No training image of a class can be used. Received: {shorten(lost)}, of which all "
            f"{len(removed)} would leak, {shorten(list(removed))}, since {' or '.join(reasons)}. "
            "Remove the copies or correct their labels."
        )
    reporter.note(left_out_sentence(left_out, str(workspace.left_out)))
    rows = np.flatnonzero(keep)
    return found[keep].reset_index(drop=True), copy_cache_rows(workspace.cache, cache, rows)


def write_leaks(
    workspace: Workspace, leaks: Leaks, index: Index, labels: list[str], fold: npt.NDArray[np.intp]
) -> None:
    """Writes leaks.md and left_out.csv; `labels` has those of test images too, empty if unknown."""
    part = np.full(len(labels), "test", dtype=object)
    part[index.rows("train")] = [f"fold {number}" for number in fold]
    parts = pd.DataFrame({"part": part, "label": labels, "source": index.table["source"]})
    write_table(workspace.left_out, leaks.left_out)
    write_text(workspace.leaks, leak_report(leaks, parts))
