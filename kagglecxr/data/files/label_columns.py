"""Which columns of a table hold the label of an image, and in which of the known forms."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.findings import join_findings
from kagglecxr.data.files.matching import match_paths
from kagglecxr.data.schema import Classes, Layout

_FLAGS = {"0": "0", "0.0": "0", "false": "0", "": "0", "1": "1", "1.0": "1", "true": "1"}
"""What the cells of a column for one class hold."""
_UNKNOWN = frozenset({"nan", "NaN", "<NA>"})
"""What pandas writes for a missing cell."""
_UNCERTAIN = frozenset({"-1", "-1.0"})
"""What CheXpert writes for a finding that is not known."""
_SEVERAL = r"[|;]|^\[.*\]$"
_BETWEEN = re.compile(r"\s*[|;]\s*|(?<=['\"])\s*,\s*(?=['\"])")
"""What stands between several labels of a cell; of a list in brackets, quoted ones."""


@dataclass(frozen=True)
class ImageLabels:
    """The labels of a table.

    Attributes:
        rows: `id,label`.
        lines: the image's id of each line of the table, of which an image may have several.
        form: how the table was read, where that is not plain.
        multilabel: whether an image has several labels, joined as findings.
    """

    rows: pd.DataFrame
    lines: "pd.Series[str]"
    form: str = ""
    multilabel: bool = False


def find_labels(
    table: pd.DataFrame,
    id_column: str,
    layout: Layout,
    classes: Classes,
    images: Sequence[str],
    path: Path,
) -> ImageLabels:
    """Finds the labels of each image, in whatever form a table has them.

    Several labels an image are findings where [classes] says so, or says nothing of it.

    Raises:
        DataError: no column is known to hold labels, or an image has several and may not.
    """
    wide, lines, form = _one_line_an_image(table, id_column, images)
    said = _column(wide, layout.label_column)
    is_told = "label_column" in layout.model_fields_set
    others = [column for column in map(str, wide) if column != id_column]
    columns = _columns_of_classes(wide, others, classes.names)
    # Other columns may hold the label: then flags say something else, such as a projection.
    are_all = classes.multilabel or bool(classes.names) or len(columns) == len(others)
    if len(columns) > 1 and (are_all or said is not None) and (said is None or said in columns):
        flags = wide[columns].apply(lambda cells: cells.str.casefold().map(_FLAGS)) == "1"
        if (flags.sum(axis=1) == 1).all() and not classes.multilabel:
            rows = pd.DataFrame({"id": wide[id_column], "label": flags.idxmax(axis=1)})
            return ImageLabels(rows, lines, form or f"columns {shorten(columns)} are classes")
        if said is None and not is_told:
            _refuse_unless_several(classes, path, f"columns {shorten(columns)}")
            findings = [column for column in columns if column != classes.none]
            joined = _joined_flags(wide[findings], flags[findings], classes)
            rows = pd.DataFrame({"id": wide[id_column], "label": joined})
            form = f"several labels an image: columns {shorten(findings)} are findings"
            return ImageLabels(rows, lines, form, multilabel=True)
    if said is None and not is_told and len(others) == 1:
        (said,) = others
    if said is None:
        raise DataError(
            f"The table of labels lacks the column {layout.label_column!r}. Received: {path} with "
            f"{list(table.columns)}. Name the right column under [layout] label_column, or the "
            "columns that are classes under [classes] names."
        )
    known = wide[said].isin(classes.names)
    labels = wide[said].where(known | ~wide[said].isin(_UNKNOWN), "")
    several = labels[labels.str.contains(_SEVERAL) & ~labels.isin(classes.names)]
    rows = pd.DataFrame({"id": wide[id_column], "label": labels})
    if several.empty and not classes.multilabel:
        return ImageLabels(rows, lines, form)
    shown = shorten([repr(cell) for cell in several.unique()])
    _refuse_unless_several(classes, path, f"column {said!r} with {shown}")
    rows["label"] = [_joined_cell(cell, classes) for cell in labels]
    form = f"several labels an image: column {said} joins them"
    return ImageLabels(rows, lines, form, multilabel=True)


def _refuse_unless_several(classes: Classes, path: Path, received: str) -> None:
    """Refuses several labels an image where the TOML says that there is one."""
    if "multilabel" in classes.model_fields_set and not classes.multilabel:
        raise DataError(
            f"The table of labels gives an image several labels, or none. Received: {path}, "
            f"{received}. Write multilabel = true under [classes], or keep the images that have "
            "one."
        )


def _joined_flags(cells: pd.DataFrame, flags: pd.DataFrame, classes: Classes) -> list[str]:
    """The findings of each line of a table with a column for each."""
    doubtful = cells.isin(_UNCERTAIN)
    if classes.uncertain == "positive":
        flags = flags | doubtful
    not_known = doubtful if classes.uncertain == "ignore" else doubtful & False
    names = np.array(cells.columns, object)
    lines = zip(flags.to_numpy(bool), not_known.to_numpy(bool), strict=True)
    return [
        join_findings(set(names[is_there]), set(names[unsure]), names, classes.none)
        for is_there, unsure in lines
    ]


def _joined_cell(cell: str, classes: Classes) -> str:
    """The findings of a cell that joins them, in an order that is the same for the same ones."""
    parts = {part.strip("'\" ") for part in _BETWEEN.split(cell.strip().strip("[]"))}
    present = parts - {"", classes.none}
    return join_findings(present, (), sorted(present), classes.none) if cell else ""


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
        if table[column].str.casefold().isin(_FLAGS.keys() | _UNCERTAIN).all()
        and table[column].ne("").any()
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
