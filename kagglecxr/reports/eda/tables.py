"""Tables of an exploration: counts by class, source and size, extreme images, duplicates."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.findings import present_findings
from kagglecxr.data.index import Index
from kagglecxr.data.shift.adversarial_validation import Shift

UNKNOWN = "unknown"
"""The source of images without one, in data where others have one."""


def class_counts(index: Index, classes: Sequence[str]) -> pd.DataFrame:
    """Returns `split,class,images,share,groups,masks`, a row per class and one for the test set.

    Labels of the test set are not read, so its row has no class; shares are of the split.
    """
    table = index.table
    train = table["split"] == "train"
    parts = [
        ("train", name, table[train & index.with_label(name)], int(train.sum())) for name in classes
    ]
    test = table[table["split"] == "test"]
    if len(test):
        parts.append(("test", "", test, len(test)))
    lines = [
        (split, name, len(part), len(part) / all_of, part["group"].nunique(), _named(part["mask"]))
        for split, name, part, all_of in parts
    ]
    return pd.DataFrame(lines, columns=["split", "class", "images", "share", "groups", "masks"])


def class_by_source(index: Index, classes: Sequence[str]) -> pd.DataFrame:
    """Returns `class,source,images,share` of the training set, with shares of the class.

    A class's largest source comes first; empty if no training image has a source.
    """
    is_train = index.table["split"] == "train"
    train = index.table[is_train]
    if not _named(train["source"]):
        return pd.DataFrame(columns=["class", "source", "images", "share"])
    source = train["source"].replace("", UNKNOWN)
    lines: list[tuple[str, str, int, float]] = []
    for name in classes:
        counts = source[index.with_label(name)[is_train]].value_counts()
        ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
        lines += [(name, str(of), int(n), n / int(counts.sum())) for of, n in ordered]
    return pd.DataFrame(lines, columns=["class", "source", "images", "share"])


def image_sizes(index: Index, *, multilabel: bool = False) -> pd.DataFrame:
    """Returns `split,class,width,height,images`, the most frequent size of a class first.

    An image with several findings counts with each of them.

    Raises:
        DataError: the index has a width or height that is no number.
    """
    table = index.table
    wrong = ~(table["width"].str.fullmatch(r"\d+") & table["height"].str.fullmatch(r"\d+"))
    if wrong.any():
        raise DataError(
            f"The index has sizes that are no numbers. Received: {int(wrong.sum())} of them, at "
            f"{shorten(list(table.loc[wrong, 'id']))}. Run prepare again."
        )
    sizes = table.assign(width=table["width"].astype(int), height=table["height"].astype(int))
    if multilabel:
        of_cell = {cell: present_findings(cell) or [UNKNOWN] for cell in set(sizes["label"]) - {""}}
        sizes = sizes.assign(label=sizes["label"].map({**of_cell, "": [""]})).explode("label")
    sizes = sizes.rename(columns={"label": "class"})
    keys = ["split", "class", "width", "height"]
    counted = sizes.groupby(keys, as_index=False).size().rename(columns={"size": "images"})
    return counted.sort_values(
        ["split", "class", "images", "width", "height"], ascending=[False, True, False, True, True]
    ).reset_index(drop=True)


def shift_table(shift: Shift | None) -> pd.DataFrame:
    """Returns `told_by,auc,low,high,train,test`: the two classifiers, then each feature alone.

    Only classifiers have an interval, only features have values; empty without a shift.
    """
    columns = ["told_by", "auc", "low", "high", "train", "test"]
    if shift is None:
        return pd.DataFrame(columns=columns)
    lines = [(f"{what}, all", of.score, of.low, of.high) for what, of in shift.parts.items()]
    features = shift.features.rename(columns={"feature": "told_by"})
    both = [pd.DataFrame(lines, columns=columns[:4]), features]
    return pd.concat(both, ignore_index=True).reindex(columns=columns)


def accuracy_from_fact(
    labels: Sequence[str], facts: Sequence[str], fold: npt.NDArray[np.intp]
) -> float:
    """Returns the cross-validated accuracy of predicting the class from one fact of an image.

    The fact, such as the image's source or size, says nothing of the lungs. An image is predicted
    as the most frequent class among images with its fact in the other folds, or among all images
    there if none has its fact; of equally frequent classes, the first by name.

    A constant fact gives the majority-class baseline.
    """
    table = pd.DataFrame({"label": list(labels), "fact": list(facts), "fold": fold})
    right = 0
    for held_out, part in table.groupby("fold"):
        others = table[table["fold"] != held_out]
        if others.empty:
            continue
        mostly = pd.crosstab(others["fact"], others["label"]).idxmax(axis=1)
        predicted = part["fact"].map(mostly).fillna(others["label"].mode()[0])
        right += int((predicted == part["label"]).sum())
    return right / max(len(table), 1)


def _named(cells: "pd.Series[str]") -> int:
    return int((cells != "").sum())


def extreme_images(
    index: Index, grey: npt.NDArray[np.float64], classes: Sequence[str]
) -> pd.DataFrame:
    """Returns `class,which,id,path,mask,mean_grey`: darkest, median and brightest of each class.

    Images of a finding may have others besides. Of an even number of images the median is the
    darker middle one. In a class of one or two images, one image may be several of the three and
    has one row. `grey` is (N,), of each image.
    """
    lines = []
    train = index.rows("train")
    for name in classes:
        rows = train[index.with_label(name)[train]]
        ordered = rows[np.argsort(grey[rows], kind="stable")]
        parts: dict[int, list[str]] = {}
        for which, position in (
            ("darkest", 0),
            ("median", (len(rows) - 1) // 2),
            ("brightest", len(rows) - 1),
        ):
            if len(rows):
                parts.setdefault(int(ordered[position]), []).append(which)
        for row, which_ones in parts.items():
            image = index.table.iloc[row]
            facts = (image["id"], image["path"], image["mask"], round(float(grey[row]), 2))
            lines.append((name, " and ".join(which_ones), *facts))
    return pd.DataFrame(lines, columns=["class", "which", "id", "path", "mask", "mean_grey"])


def sample_rows(
    index: Index, rows: npt.NDArray[np.intp], count: int, random: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Samples at most `count` rows from as many classes as possible, sorted by class."""
    shuffled = random.permutation(rows)
    labels = pd.Series(index.column("label", shuffled), dtype=object)
    turn = labels.groupby(labels).cumcount().to_numpy()
    first = np.argsort(turn, kind="stable")[:count]
    chosen: npt.NDArray[np.intp] = shuffled[first]
    return chosen[np.argsort(labels.to_numpy(dtype=str)[first], kind="stable")]


def labelled_duplicates(pairs: pd.DataFrame, index: Index) -> pd.DataFrame:
    """Returns `first,second,correlation,split,first_label,second_label`, worst pairs first.

    Pairs with two labels come first, then the least similar; test images have no label.

    Raises:
        DataError: columns are missing, or a pair has an image that is not in the index.
    """
    wanted = ["first", "second", "correlation"]
    table = index.table.set_index("id")
    missing = [column for column in wanted if column not in pairs]
    unknown = [] if missing else sorted(set(pairs["first"]) | set(pairs["second"]))
    unknown = [name for name in unknown if name not in table.index]
    if missing or unknown:
        raise DataError(
            f"The table of duplicates does not fit the index. Received: "
            f"{shorten(missing or unknown)} that only one of them has. Run prepare again."
        )
    labelled = pairs[wanted].copy()
    labelled["split"] = table["split"].reindex(labelled["first"]).to_numpy()
    for which in ("first", "second"):
        labelled[f"{which}_label"] = table["label"].reindex(labelled[which]).to_numpy()
    labelled["same"] = labelled["first_label"] == labelled["second_label"]
    labelled["alike"] = labelled["correlation"].astype(float)
    ordered = labelled.sort_values(["same", "alike", "first", "second"], kind="stable")
    return ordered.drop(columns=["same", "alike"]).reset_index(drop=True)
