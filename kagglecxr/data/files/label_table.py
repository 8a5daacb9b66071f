"""Labels, patients and sources from a table of labels, in the forms that competitions have."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.data.files.matching import match_ids, match_paths
from kagglecxr.data.files.tables import read_any_table
from kagglecxr.data.images.image import name_without_suffix
from kagglecxr.data.schema import Layout

_OPTIONAL = {"group": ("group_id", "patient_id", "patientid", "PatientID"), "source": ("source",)}
"""Columns of a table of labels that are taken into the index, by the names they go by."""

_COVIDX = {"1": "group_id", "2": "id", "3": "label", "4": "source"}
"""What the columns of a COVIDx list mean, which has no header."""

_ONE_LABEL = (
    "This version learns one label an image: keep the images that have one, and one label a line."
)


@dataclass(frozen=True)
class Labels:
    """What a table says about the images that it names.

    Attributes:
        rows: `label` and, where the table has them, `group` and `source` by an image's path.
        ids: the table's ids, for messages.
        told: how the table was read, where that is not plain.
    """

    rows: pd.DataFrame
    ids: list[str]
    told: str = ""


def read_labels(root: Path, layout: Layout, classes: list[str], images: Sequence[str]) -> Labels:
    """Reads the layout's table of labels.

    It has a label a line, a column a class with 1 in one of them, or a line for each image and
    class. Ids are file names or paths, or name the folder of a study. Without a header, columns are
    called 1, 2 and so on.

    Raises:
        MissingError: there is no such table.
        DataError: it lacks a column, or gives an image several labels, or an id means two images.
    """
    path = root / layout.labels
    if not path.is_file():
        there = [one.relative_to(root).as_posix() for one in sorted(root.glob("*.*sv*"))]
        raise MissingError(
            f"The table of labels is missing. Received: {path}. Correct [layout] labels, or "
            f"download it; there is {shorten(there) or 'no table'}."
        )
    names = {name_without_suffix(image) for image in images}
    table = _read(path, names)
    if table.empty:
        raise DataError(f"The table of labels has no lines. Received: {path}. Download it again.")
    id_column = _id_column(table, layout, names, path)
    table, told = _with_one_label(table, id_column, layout, classes, names, path)
    known = table.drop_duplicates(["id", "label"])
    repeated = sorted(set(known.loc[known["id"].duplicated(), "id"]))
    if repeated:
        raise DataError(
            f"The table of labels has two labels for one image. Received: {path}, "
            f"{shorten(repeated)}. {_ONE_LABEL}"
        )
    ids = list(known["id"])
    id_of = _images_of_ids(ids, images, path)
    rows = known.set_index("id").loc[list(id_of.values())].set_axis(list(id_of), axis=0)
    return Labels(rows, ids, told)


def _read(path: Path, names: Collection[str]) -> pd.DataFrame:
    table = read_any_table(path)
    if any(name_without_suffix(column) in names for column in table.columns):
        table = read_any_table(path, header=False)
        if (
            len(table.columns) == len(_COVIDX)
            and table["2"].map(name_without_suffix).isin(names).any()
        ):
            table = table.rename(columns=_COVIDX)
    return table


def _id_column(table: pd.DataFrame, layout: Layout, names: Collection[str], path: Path) -> str:
    if (named := _column(table, layout.label_id)) is not None:
        return named
    is_id = [c for c in table if table[c].map(name_without_suffix).isin(names).any()]
    if "label_id" in layout.model_fields_set or len(is_id) != 1:
        raise _lacks(layout.label_id, "label_id", table, path)
    return str(is_id[0])


def _column(table: pd.DataFrame, name: str) -> str | None:
    """The column of a name or, without it, the only one that differs in capitals alone."""
    if name in table:
        return name
    alike = [column for column in map(str, table) if column.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None


def _lacks(column: str, entry: str, table: pd.DataFrame, path: Path) -> DataError:
    return DataError(
        f"The table of labels lacks the column {column!r}. Received: {path} with "
        f"{list(table.columns)}. Name the right column under [layout] {entry}."
    )


def _with_one_label(
    table: pd.DataFrame,
    id_column: str,
    layout: Layout,
    classes: list[str],
    names: Collection[str],
    path: Path,
) -> tuple[pd.DataFrame, str]:
    """Returns `id,label` and optional columns, and how a form that is not plain was read."""
    optional = {
        new: table[written]
        for new, known in _OPTIONAL.items()
        if (written := next((name for name in known if name in table), None)) is not None
    }
    wide, told = _one_line_an_image(table, id_column, names)
    columns = _columns_of_classes(wide, id_column, classes)
    said = _column(wide, layout.label_column) or ""
    if len(columns) > 1 and (not said or said in columns):
        ones = wide[columns].isin(["1", "1.0"])
        if (ones.sum(axis=1) == 1).all():
            rows = pd.DataFrame({"id": wide[id_column], "label": ones.idxmax(axis=1)})
            told = told or f"columns {shorten(columns)} are classes"
            return rows.assign(**(optional if wide is table else {})), told
        if not said:
            several = wide[ones.sum(axis=1) != 1]
            raise DataError(
                f"The columns of classes give an image several labels, or none. Received: {path}, "
                f"{len(several):,} images such as {shorten(list(several[id_column]))}, columns "
                f"{shorten(columns)}. {_ONE_LABEL}"
            )
    others = [column for column in table if column != id_column]
    if not said and "label_column" not in layout.model_fields_set and len(others) == 1:
        said = str(others[0])
    if not said:
        raise _lacks(layout.label_column, "label_column", table, path)
    both = table[~table[said].isin(classes) & table[said].str.contains("|", regex=False)]
    if len(both):
        raise DataError(
            f"The table of labels has several labels in a cell. Received: {path}, column {said!r}, "
            f"{len(both):,} such cells, {shorten([repr(cell) for cell in both[said].unique()])}. "
            f"{_ONE_LABEL}"
        )
    rows = pd.DataFrame({"id": table[id_column], "label": table[said]})
    return rows.assign(**optional), ""


def _columns_of_classes(table: pd.DataFrame, id_column: str, classes: list[str]) -> list[str]:
    """The columns that hold 0 and 1 alone: the classes, or all such columns."""
    candidates = classes if set(classes) <= set(table.columns) else list(table.columns)
    return [
        column
        for column in candidates or table.columns
        if column != id_column
        and table[column].isin(["0", "1", "0.0", "1.0", ""]).all()
        and table[column].ne("").any()
    ]


def _one_line_an_image(
    table: pd.DataFrame, id_column: str, names: Collection[str]
) -> tuple[pd.DataFrame, str]:
    """Turns a line for each image and class (`id_class,value` or `id,class,value`) into columns."""
    ids, others = table[id_column], [column for column in table if column != id_column]
    flags = [c for c in others if table[c].isin(["0", "1", "0.0", "1.0"]).all()]
    parts = ids.str.rpartition("_")
    if len(others) == 1 and not ids.map(name_without_suffix).isin(names).any():
        images, classes = parts[0], parts[2]
    elif len(others) == 2:
        images, classes = ids, table[next(c for c in others if [c] != flags)]
    else:
        return table, ""
    long = pd.DataFrame({id_column: images, "class": classes})
    # Each image has a line for each class, and each class is one of several.
    counts = long.nunique()
    is_whole = len(long) == counts[id_column] * counts["class"] == len(long.drop_duplicates())
    if len(flags) != 1 or counts["class"] < 2 or not is_whole:
        return table, ""
    long["value"] = table[flags[0]]
    wide = long.pivot(index=id_column, columns="class", values="value").reset_index()
    return wide, "a line for each image and class"


def _images_of_ids(ids: list[str], images: Sequence[str], path: Path) -> dict[str, str]:
    """Returns the id of each image: its path, its name, or the folder of its study."""
    if any("/" in one or "\\" in one for one in ids):
        found = dict(zip(match_paths(ids, images), ids, strict=True))
        found.pop("", None)
        if found:
            return found
    id_of_name = {name_without_suffix(one.replace("\\", "/")): one for one in ids}
    names = {image: name_without_suffix(image) for image in images}
    matched = match_ids(list(names.values()), list(id_of_name))
    found = {i: id_of_name[matched[name]] for i, name in names.items() if name in matched}
    if found:
        _refuse_shared_ids(found, path)
        return found
    id_of_folder = {one.removesuffix("_study"): one for one in ids}
    return {
        image: id_of_folder[folder]
        for image in images
        for folder in PurePosixPath(image).parent.parts
        if folder in id_of_folder
    }


def _refuse_shared_ids(found: dict[str, str], path: Path) -> None:
    table = pd.Series(found)
    shared = table[table.duplicated(keep=False)]
    if len(shared):
        first = shared.iloc[0]
        raise DataError(
            f"An id of the table of labels means several images. Received: {path}, id "
            f"{first!r} for {shorten(list(shared[shared == first].index))}. Write paths into the "
            "table, or describe under [layout] train which images it names."
        )
