"""Takes the training images that leak out of index and cache, and writes down why."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import write_table, write_text
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.building import copy_cache_rows
from kagglecxr.data.cache.cache import Cache
from kagglecxr.data.cache.image_loader import file_checksums
from kagglecxr.data.index import Index
from kagglecxr.data.leakage.leak_report import leak_report, left_out_sentence
from kagglecxr.data.leakage.leaks import Leaks


def same_files(root: Path, found: pd.DataFrame, pairs: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which pairs of duplicates are one file twice.

    Args:
        root: the data folder.
        found: `id,path`, one line an image.
        pairs: `first,second,distance,correlation`, (P, 4).

    Returns:
        (P,) truth values, by the CRC-32 of the files of pairs that look quite the same.
    """
    alike = pairs[(pairs["distance"] == 0) & (pairs["correlation"] == 1.0)]
    names = sorted({*alike["first"], *alike["second"]})
    paths = list(found.set_index("id")["path"].loc[names])
    content = dict(zip(names, file_checksums(root, paths), strict=True))
    both = zip(pairs["first"], pairs["second"], strict=True)
    return np.array([content.get(a, -1) == content.get(b, -2) for a, b in both], np.bool_)


def remove_leaks(
    left_out: pd.DataFrame,
    found: pd.DataFrame,
    cache: Cache,
    workspace: Workspace,
    reporter: Reporter,
) -> tuple[pd.DataFrame, Cache]:
    """The images that stay, and the cache whose row i is still image i.

    Args:
        left_out: `id,reason` of the training images that go.
        found: `id,label,split`, one line an image.
        cache: of all of them.
        workspace: where the smaller cache goes.
        reporter: told how many go, and why.

    Raises:
        DataError: no training image of a class would stay.
    """
    if left_out.empty:
        return found, cache
    stays = ~found["id"].isin(left_out["id"])
    train = found["split"] == "train"
    lost = sorted(set(found.loc[train, "label"]) - set(found.loc[train & stays, "label"]))
    if lost:
        gone = found["id"][train & ~stays & found["label"].isin(lost)]
        reasons = left_out.loc[left_out["id"].isin(gone), "reason"].unique()
        raise DataError(
            f"No training image of a class can be used. Received: {shorten(lost)}, of which all "
            f"{len(gone)} would leak, {shorten(list(gone))}, since {' or '.join(reasons)}. Remove "
            "the copies or mend their labels."
        )
    reporter.note(left_out_sentence(left_out, str(workspace.left_out)))
    rows = np.flatnonzero(stays)
    return found[stays].reset_index(drop=True), copy_cache_rows(workspace.cache, cache, rows)


def write_leaks(
    workspace: Workspace, leaks: Leaks, index: Index, labels: list[str], fold: npt.NDArray[np.intp]
) -> None:
    """Writes leaks.md and left_out.csv.

    Args:
        workspace: where they go.
        leaks: what was found, by the ids of the index.
        index: the images that stay, N of them.
        labels: the label of each, of test images too; empty where unknown, (N,).
        fold: of each training image, in the index's order.
    """
    place = np.full(len(labels), "test", dtype=object)
    place[index.rows("train")] = [f"fold {number}" for number in fold]
    places = pd.DataFrame({"place": place, "label": labels, "source": index.table["source"]})
    write_table(workspace.left_out, leaks.left_out)
    write_text(workspace.leaks, leak_report(leaks, places))
