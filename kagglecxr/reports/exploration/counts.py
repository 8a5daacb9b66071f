"""What the index of a competition says of its images, as tables."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.data.index import Index

UNKNOWN = "unknown"
"""The source of images that name none, where others do."""


def class_counts(index: Index, classes: Sequence[str]) -> pd.DataFrame:
    """`split,class,images,share,groups,masks`: a line a class, and one for the test part.

    The test part's labels stay unseen, so its one line has no class; shares are of the split.
    """
    table = index.table
    train = table[table["split"] == "train"]
    parts = [("train", name, train[train["label"] == name], len(train)) for name in classes]
    test = table[table["split"] == "test"]
    if len(test):
        parts.append(("test", "", test, len(test)))
    lines = [
        (split, name, len(part), len(part) / all_of, part["group"].nunique(), _named(part["mask"]))
        for split, name, part, all_of in parts
    ]
    return pd.DataFrame(lines, columns=["split", "class", "images", "share", "groups", "masks"])


def class_by_source(index: Index, classes: Sequence[str]) -> pd.DataFrame:
    """`class,source,images,share` of the training part; shares are of the class.

    A class's largest source comes first; empty where no training image names its source.
    """
    train = index.table[index.table["split"] == "train"]
    if not _named(train["source"]):
        return pd.DataFrame(columns=["class", "source", "images", "share"])
    source = train["source"].replace("", UNKNOWN)
    lines: list[tuple[str, str, int, float]] = []
    for name in classes:
        counts = source[train["label"] == name].value_counts()
        ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
        lines += [(name, str(of), int(n), n / int(counts.sum())) for of, n in ordered]
    return pd.DataFrame(lines, columns=["class", "source", "images", "share"])


def image_sizes(index: Index) -> pd.DataFrame:
    """`split,class,width,height,images`, the most frequent size of a class first; in pixels.

    Raises:
        DataError: the index holds a width or height that is no number.
    """
    table = index.table
    wrong = ~(table["width"].str.fullmatch(r"\d+") & table["height"].str.fullmatch(r"\d+"))
    if wrong.any():
        raise DataError(
            f"The index holds sizes that are no numbers. Received: {int(wrong.sum())} of them, at "
            f"{shorten(list(table.loc[wrong, 'id']))}. Run prepare again."
        )
    sizes = table.assign(width=table["width"].astype(int), height=table["height"].astype(int))
    sizes = sizes.rename(columns={"label": "class"})
    keys = ["split", "class", "width", "height"]
    counted = sizes.groupby(keys, as_index=False).size().rename(columns={"size": "images"})
    return counted.sort_values(
        ["split", "class", "images", "width", "height"], ascending=[False, True, False, True, True]
    ).reset_index(drop=True)


def guessed_right(labels: Sequence[str], facts: Sequence[str], fold: npt.NDArray[np.intp]) -> float:
    """The share of images whose class is guessed by a fact that says nothing of the lungs.

    Each image is guessed to be of the class that its fact mostly has in the other folds, or of
    their most frequent class where they do not know its fact. Of two classes as frequent, the one
    with the alphabetically first name is guessed.

    Args:
        labels: the class of each training image.
        facts: what is known of each, such as its source; all alike for the majority class.
        fold: the fold of each, (N,).
    """
    table = pd.DataFrame({"label": list(labels), "fact": list(facts), "fold": fold})
    right = 0
    for held_out, part in table.groupby("fold"):
        others = table[table["fold"] != held_out]
        if others.empty:
            continue
        mostly = pd.crosstab(others["fact"], others["label"]).idxmax(axis=1)
        guesses = part["fact"].map(mostly).fillna(_most_frequent(others["label"]))
        right += int((guesses == part["label"]).sum())
    return right / max(len(table), 1)


def _named(cells: "pd.Series[str]") -> int:
    return int((cells != "").sum())


def _most_frequent(labels: "pd.Series[str]") -> str:
    counts = labels.value_counts().sort_index()
    return str(counts.idxmax())
