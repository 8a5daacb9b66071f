"""Which columns of a table hold the label of an image, and in which of the known forms."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.findings import NOT_KNOWN, SEPARATOR, join_findings
from kagglecxr.data.files.matching import match_paths
from kagglecxr.data.schema import Classes, Layout

_FLAGS = {
    **dict.fromkeys(("0", "0.0", "false", "", "nan", "<na>"), "0"),
    **dict.fromkeys(("1", "1.0", "true"), "1"),
}
"""What the cells of a column for one class hold, in small letters."""
FEWEST = 0.03
"""The share of cells that join labels from which on they are taken for no mistake."""
MOSTLY = 0.8
"""The share of flags from which on a column is taken for one of a finding."""
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
        findings: the columns that are findings, whether an image has them or not.
    """

    rows: pd.DataFrame
    lines: "pd.Series[str]"
    form: str = ""
    multilabel: bool = False
    findings: tuple[str, ...] = ()


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
    if classes.multilabel and not is_told:
        _refuse_odd_cells(wide, id_column, others, classes, path)
    columns = _columns_of_classes(wide, others, classes.names)
    # Other columns may hold the label: then flags say something else, such as a projection.
    are_all = classes.multilabel or bool(classes.names) or len(columns) == len(others)
    is_column = said in columns
    are_columns = are_all or said is not None
    if (
        columns
        and (len(columns) > 1 or classes.multilabel)
        and are_columns
        and (said is None or is_column)
    ):
        flags = wide[columns].apply(lambda cells: cells.str.casefold().map(_FLAGS)) == "1"
        if (flags.sum(axis=1) == 1).all() and not classes.multilabel:
            rows = pd.DataFrame({"id": wide[id_column], "label": flags.idxmax(axis=1)})
            return ImageLabels(rows, lines, form or f"columns {shorten(columns)} are classes")
        is_asked = classes.multilabel or said in classes.names
        if not is_told and (said is None or is_asked):
            _refuse_unless_several(classes, path, f"columns {shorten(columns)}")
            if not is_asked and not classes.names and classes.none not in columns:
                _refuse_one_column_more(flags, path)
            findings = [column for column in columns if column != classes.none]
            joined = _joined_flags(wide[findings], flags[findings], classes, path)
            rows = pd.DataFrame({"id": wide[id_column], "label": joined})
            form = f"several labels an image: columns {', '.join(findings)} are findings"
            return ImageLabels(rows, lines, form, True, tuple(findings))
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
    labels = labels.where(known, labels.str.strip().str.strip("|;").str.strip())
    several = labels[labels.str.contains(_SEVERAL) & ~known]
    rows = pd.DataFrame({"id": wide[id_column], "label": labels})
    if several.empty and not classes.multilabel:
        return ImageLabels(rows, lines, form)
    shown = shorten([repr(cell) for cell in several.unique()])
    _refuse_unless_several(classes, path, f"column {said!r} with {shown}")
    if not classes.multilabel and len(several) < FEWEST * len(labels):
        raise DataError(
            f"A few cells of the table of labels join several. Received: {path}, column {said!r}, "
            f"{len(several):,} of {len(labels):,} cells, {shown}. Correct them, or write "
            "multilabel = true under [classes] if images may have several labels."
        )
    by_comma = several.empty and bool(labels.str.contains(",").any())
    rows["label"] = [_joined_cell(cell, classes, by_comma=by_comma) for cell in labels]
    form = f"several labels an image: column {said} joins them"
    return ImageLabels(rows, lines, form, multilabel=True)


def _refuse_odd_cells(
    wide: pd.DataFrame, id_column: str, others: list[str], classes: Classes, path: Path
) -> None:
    """Refuses a column of a finding with a cell that is no flag, which would be passed over."""
    named = [column for column in classes.names if column in others]
    for column in named if len(named) > 1 else others:
        are_flags = wide[column].str.casefold().isin(_FLAGS.keys() | _UNCERTAIN)
        share = float(are_flags.mean())
        if share < 1 and (column in named or share > MOSTLY):
            odd = wide[~are_flags]
            raise DataError(
                "A column of a finding holds what is neither 0, 1 nor -1. Received: "
                f"{path}, column {column!r}, {odd[column].iloc[0]!r} for "
                f"{odd[id_column].iloc[0]}. Correct that "
                "cell, or leave the column out of [classes] names."
            )


def _refuse_one_column_more(flags: pd.DataFrame, path: Path) -> None:
    """Refuses classes of which each image has one, with a column of something else among them."""
    ones = flags.sum(axis=1)
    for column in map(str, flags.columns):
        if len(flags.columns) > 2 and (ones - flags[column] == 1).all():
            others = [other for other in map(str, flags.columns) if other != column]
            raise DataError(
                f"Each image has one of the columns {shorten(others)}, and {column!r} is another "
                f"column of 0 and 1. Received: {path}. List the classes under [classes] names, or "
                "write multilabel = true there if all of them are findings."
            )


def _refuse_unless_several(classes: Classes, path: Path, received: str) -> None:
    """Refuses several labels an image where the TOML says that there is one."""
    if "multilabel" in classes.model_fields_set and not classes.multilabel:
        raise DataError(
            f"The table of labels gives an image several labels, or none. Received: {path}, "
            f"{received}. Write multilabel = true under [classes], or keep the images that have "
            "one."
        )


def _joined_flags(
    cells: pd.DataFrame, flags: pd.DataFrame, classes: Classes, path: Path
) -> list[str]:
    """The findings of each line of a table with a column for each."""
    strange = [name for name in cells.columns if SEPARATOR in name or name.startswith(NOT_KNOWN)]
    if strange:
        raise DataError(
            f"The name of a finding may not hold {SEPARATOR} or begin with {NOT_KNOWN}. Received: "
            f"{path}, column {strange[0]!r}. Rename that column."
        )
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


def _joined_cell(cell: str, classes: Classes, *, by_comma: bool) -> str:
    """The findings of a cell that joins them, in an order that is the same for the same ones."""
    is_list = cell.startswith("[") and "'" not in cell and '"' not in cell
    split = (
        cell.strip("[] ").split(",") if by_comma or is_list else _BETWEEN.split(cell.strip("[] "))
    )
    parts = {part.strip("'\" ") for part in split}
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
