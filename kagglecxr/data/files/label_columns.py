"""Which columns of a table hold the label of an image, and in which of the known forms."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.data.files.matching import match_paths
from kagglecxr.data.schema import Layout

_FLAGS = {"0": "0", "0.0": "0", "false": "0", "": "0", "1": "1", "1.0": "1", "true": "1"}
"""What the cells of a column for one class hold."""
_UNKNOWN = frozenset({"nan", "NaN", "<NA>"})
"""What pandas writes for a missing cell."""
_SEVERAL = r"[|;]|^\[.*\]$"


@dataclass(frozen=True)
class ImageLabels:
    """The labels of a table.

    Attributes:
        rows: `id,label`.
        lines: the image's id of each line of the table, of which an image may have several.
        form: how the table was read, where that is not plain.
    """

    rows: pd.DataFrame
    lines: "pd.Series[str]"
    form: str = ""


def find_labels(
    table: pd.DataFrame,
    id_column: str,
    layout: Layout,
    classes: list[str],
    images: Sequence[str],
    path: Path,
) -> ImageLabels:
    """Finds the label of each image, in whatever form a table has it.

    Raises:
        DataError: no column is known to hold labels, or an image has several.
    """
    wide, lines, form = _one_line_an_image(table, id_column, images)
    said = _column(wide, layout.label_column)
    is_told = "label_column" in layout.model_fields_set
    others = [column for column in map(str, wide) if column != id_column]
    columns = _columns_of_classes(wide, others, classes)
    # Other columns may hold the label: then flags say something else, such as a projection.
    are_all = bool(classes) or said is not None or len(columns) == len(others)
    if len(columns) > 1 and are_all and (said is None or said in columns):
        flags = wide[columns].apply(lambda cells: cells.str.casefold().map(_FLAGS)) == "1"
        ones = flags.sum(axis=1)
        if (ones == 1).all():
            rows = pd.DataFrame({"id": wide[id_column], "label": flags.idxmax(axis=1)})
            return ImageLabels(rows, lines, form or f"columns {shorten(columns)} are classes")
        if said is None and not is_told:
            several = wide[ones != 1]
            raise DataError(
                f"The columns of classes give an image several labels, or none. Received: {path}, "
                f"{len(several):,} images such as {shorten(list(several[id_column]))}, columns "
                f"{shorten(columns)}. This version learns one label an image: keep the images that "
                "have one, or list the columns that are classes under [classes] names."
            )
    if said is None and not is_told and len(others) == 1:
        (said,) = others
    if said is None:
        raise DataError(
            f"The table of labels lacks the column {layout.label_column!r}. Received: {path} with "
            f"{list(table.columns)}. Name the right column under [layout] label_column, or the "
            "columns that are classes under [classes] names."
        )
    labels = wide[said].where(wide[said].isin(classes) | ~wide[said].isin(_UNKNOWN), "")
    _refuse_several(labels, classes, said, path)
    return ImageLabels(pd.DataFrame({"id": wide[id_column], "label": labels}), lines, form)


def _refuse_several(labels: "pd.Series[str]", classes: list[str], column: str, path: Path) -> None:
    several = labels[labels.str.contains(_SEVERAL) & ~labels.isin(classes)]
    if len(several):
        raise DataError(
            f"The table of labels has several labels in a cell. Received: {path}, column "
            f"{column!r}, {len(several):,} such cells, "
            f"{shorten([repr(cell) for cell in several.unique()])}. This version learns one label "
            "an image: keep the images that have one, or list such labels under [classes] names."
        )


def _column(table: pd.DataFrame, name: str) -> str | None:
    """The column of a name or, without it, the only one that differs in capitals alone."""
    if name in table:
        return name
    alike = [column for column in map(str, table) if column.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None


def _columns_of_classes(table: pd.DataFrame, others: list[str], classes: list[str]) -> list[str]:
    """The columns that hold flags alone: the classes, or all such columns."""
    candidates = classes if classes and set(classes) <= set(others) else others
    return [
        column
        for column in candidates
        if table[column].str.casefold().isin(_FLAGS.keys()).all() and table[column].ne("").any()
    ]


def _one_line_an_image(
    table: pd.DataFrame, id_column: str, images: Sequence[str]
) -> tuple[pd.DataFrame, "pd.Series[str]", str]:
    """Turns a line for each image and class (`id_class,value` or `id,class,value`) into columns."""
    ids, others = table[id_column], [column for column in table if column != id_column]
    flags = [c for c in others if table[c].str.casefold().isin(_FLAGS.keys() - {""}).all()]
    parts = ids.str.rpartition("_")
    if len(others) == 1 and not match_paths(list(ids), images).image_of:
        named, classes = parts[0], parts[2]
    elif len(others) == 2:
        named, classes = ids, table[next(c for c in others if [c] != flags)]
    else:
        return table, ids, ""
    long = pd.DataFrame({id_column: named, "class": classes})
    # Each image has a line for each class, and each class is one of several.
    counts = long.nunique()
    is_whole = len(long) == counts[id_column] * counts["class"] == len(long.drop_duplicates())
    if len(flags) != 1 or counts["class"] < 2 or not is_whole:
        return table, ids, ""
    long["value"] = table[flags[0]]
    wide = long.pivot(index=id_column, columns="class", values="value").reset_index()
    return wide, named, "a line for each image and class"
