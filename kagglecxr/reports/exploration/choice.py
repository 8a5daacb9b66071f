"""Which images of a competition an exploration shows."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.data.index import Index


def extreme_images(
    index: Index, grey: npt.NDArray[np.float64], classes: Sequence[str]
) -> pd.DataFrame:
    """`class,which,id,path,mask,mean_grey`: the darkest, median and brightest of each class.

    Of an even number of images the median is the darker middle one. In a class of one or two
    images, one image plays several parts and has one line.

    Args:
        index: the images.
        grey: the mean grey value of each, in the index's order.
        classes: the classes' names, in order.
    """
    lines = []
    train = index.rows("train")
    labels = np.array(index.column("label", train), dtype=object)
    for name in classes:
        rows = train[labels == name]
        ordered = rows[np.argsort(grey[rows], kind="stable")]
        parts: dict[int, list[str]] = {}
        for which, place in (
            ("darkest", 0),
            ("median", (len(rows) - 1) // 2),
            ("brightest", len(rows) - 1),
        ):
            if len(rows):
                parts.setdefault(int(ordered[place]), []).append(which)
        for row, which_ones in parts.items():
            image = index.table.iloc[row]
            told = (image["id"], image["path"], image["mask"], round(float(grey[row]), 2))
            lines.append((name, " and ".join(which_ones), *told))
    return pd.DataFrame(lines, columns=["class", "which", "id", "path", "mask", "mean_grey"])


def drawn_rows(
    index: Index, rows: npt.NDArray[np.intp], count: int, chance: np.random.Generator
) -> npt.NDArray[np.intp]:
    """At most `count` of these rows, drawn at random, from as many classes as there are.

    Returns:
        Rows in the order of their classes' names.
    """
    shuffled = chance.permutation(rows)
    labels = pd.Series(index.column("label", shuffled), dtype=object)
    turn = labels.groupby(labels).cumcount().to_numpy()
    first = np.argsort(turn, kind="stable")[:count]
    chosen: npt.NDArray[np.intp] = shuffled[first]
    return chosen[np.argsort(labels.to_numpy(dtype=str)[first], kind="stable")]


def labelled_duplicates(pairs: pd.DataFrame, index: Index) -> pd.DataFrame:
    """`first,second,correlation,split,first_label,second_label`: what most needs a look first.

    Pairs with two labels come first, then the least alike; test images have no label.

    Args:
        pairs: `first,second,correlation` as duplicates.csv holds them.
        index: the images.

    Raises:
        DataError: columns are missing, or a pair names an image that the index does not hold.
    """
    wanted = ["first", "second", "correlation"]
    table = index.table.set_index("id")
    absent = [column for column in wanted if column not in pairs]
    strange = [] if absent else sorted(set(pairs["first"]) | set(pairs["second"]))
    strange = [name for name in strange if name not in table.index]
    if absent or strange:
        raise DataError(
            f"The table of duplicates does not fit the index. Received: "
            f"{shorten(absent or strange)} that only one of them has. Run prepare again."
        )
    told = pairs[wanted].copy()
    told["split"] = table["split"].reindex(told["first"]).to_numpy()
    for which in ("first", "second"):
        told[f"{which}_label"] = table["label"].reindex(told[which]).to_numpy()
    told["same"] = told["first_label"] == told["second_label"]
    told["alike"] = told["correlation"].astype(float)
    ordered = told.sort_values(["same", "alike", "first", "second"], kind="stable")
    return ordered.drop(columns=["same", "alike"]).reset_index(drop=True)
