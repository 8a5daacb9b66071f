"""Labels, patients, sources and splits from a table of labels, in the forms competitions have."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.data.files.folder_tree import split_of
from kagglecxr.data.files.label_columns import find_labels
from kagglecxr.data.files.matching import images_named, match_paths
from kagglecxr.data.files.tables import list_tables, read_any_table
from kagglecxr.data.images.image import SUFFIXES
from kagglecxr.data.schema import Classes, Layout

_OPTIONAL = {
    "group": ("groupid", "patientid", "patient", "subjectid"),
    "source": ("source",),
    "split": ("split", "set", "subset", "partition"),
}
"""Columns that are taken into the index, by the letters of the names they go by."""

_COVIDX = ["group_id", "id", "label", "source"]
"""What the columns of a COVIDx list mean, which has no header."""


@dataclass(frozen=True)
class Labels:
    """What a table says about the images that it names.

    Attributes:
        rows: `label`, `group`, `source` and `split` by an image's path; unknown cells are empty.
        ids: the table's ids, for messages.
        named: how many of them mean an image.
        form: how the table was read, where that is not plain.
        multilabel: whether an image may have several labels, joined as findings.
        findings: the columns that are findings, whether an image has them or not.
    """

    rows: pd.DataFrame
    ids: list[str]
    named: int
    form: str = ""
    multilabel: bool = False
    findings: tuple[str, ...] = ()


def read_labels(
    root: Path, layout: Layout, classes: Classes, images: Sequence[str], others: Sequence[str]
) -> Labels:
    """Reads the layout's table of labels.

    Ids that mean none of the images, which may be for training, are looked for among the others.

    It has a label a line, a column a class with 1 in one of them, or a line for each image and
    class. Ids are file names or paths, or name the folder of a study. Without a header, columns are
    called 1, 2 and so on.

    Raises:
        MissingError: there is no such table.
        DataError: it lacks a column, or gives an image several labels, or an id means two images.
    """
    path = root / layout.labels
    if not path.is_file():
        raise MissingError(
            f"The table of labels is missing. Received: {path}. Correct [layout] labels, or "
            f"download it; there is {shorten(list_tables(root)) or 'no table'}."
        )
    every = [*images, *others]
    table = _read(path, layout, every)
    if table.empty:
        raise DataError(f"The table of labels has no lines. Received: {path}. Download it again.")
    id_column = _id_column(table, layout, every, path)
    columns = [c for c in map(str, table) if c not in (id_column, layout.label_column)]
    optional = {
        new: next((one for one in columns if re.sub("[^a-z]", "", one.lower()) in names), None)
        for new, names in _OPTIONAL.items()
    }
    known = {new: column for new, column in optional.items() if column is not None}
    if "split" in known and not all(map(split_of, table[known["split"]])):
        del known["split"]
    plain = table.drop(columns=[*known.values()])
    found = find_labels(plain, id_column, layout, classes, every, path)
    rows, form = found.rows, found.form
    for new, column in known.items():
        rows[new] = _of_each(rows, found.lines, table[column], path)
    if "split" in known:
        rows["split"] = rows["split"].map(split_of)
        form = f"{form}, " * bool(form) + f"column {known['split']} tells the test set"
    ids = list(rows["id"])
    rows, named = _by_image(rows, images, others, path)
    rows = rows.reindex(columns=["label", *_OPTIONAL], fill_value="")
    return Labels(rows, ids, named, form, found.multilabel, found.findings)


def _of_each(
    rows: pd.DataFrame, lines: "pd.Series[str]", cells: "pd.Series[str]", path: Path
) -> list[str]:
    """What a column's cells say of each image, given the image's id of each line."""
    said = pd.DataFrame({"id": lines, "said": cells}).drop_duplicates()
    twice = said.loc[said["id"].duplicated(), "id"]
    if len(twice):
        raise DataError(
            f"A column of the table of labels says two things of one image. Received: {path}, "
            f"column {cells.name!r}, {shorten(sorted(set(twice)))}. Correct these lines."
        )
    of_id = said.set_index("id")["said"]
    return [of_id.get(one, "") for one in rows["id"]]


def _read(path: Path, layout: Layout, images: Sequence[str]) -> pd.DataFrame:
    """The table with its header or, where the first line names an image, without one."""
    table = read_any_table(path)
    names = {PurePosixPath(image).stem for image in images}
    has_no_header = any(
        _has_suffix(column)
        or (column in names and table[column].is_unique and table[column].isin(names).all())
        for column in map(str, table)
    )
    if not has_no_header and not (layout.label_id.isdigit() and layout.label_id not in table):
        return table
    table = read_any_table(path, header=False)
    is_told = {"label_id", "label_column"} & layout.model_fields_set
    has_four = len(table.columns) == len(_COVIDX) and not is_told
    is_covidx = has_four and bool(table["2"].map(_has_suffix).all())
    return table.set_axis(_COVIDX, axis=1) if is_covidx else table


def _id_column(table: pd.DataFrame, layout: Layout, images: Sequence[str], path: Path) -> str:
    """The column that names images: that of the TOML or, left out, the one that names most."""
    named = [c for c in map(str, table) if c.casefold() == layout.label_id.casefold()]
    exact = [layout.label_id] if layout.label_id in table else named
    if "label_id" in layout.model_fields_set and len(exact) == 1:
        return exact[0]
    counts = images_named(table, images)
    most = [column for column, count in counts.items() if count and count == max(counts.values())]
    suffixed = [c for c in most if table[c].map(_has_suffix).all()]
    best = suffixed if len(suffixed) == 1 else most
    if len(best) == 1 and "label_id" not in layout.model_fields_set:
        return best[0]
    if len(exact) == 1 and (exact[0] in best or not best):
        return exact[0]
    raise DataError(
        f"The table of labels has no column {layout.label_id!r} that names images. Received: "
        f"{path} with {list(table.columns)}{f'; {shorten(best)} do' if best else ''}. Name the "
        "right column under [layout] label_id."
    )


def _has_suffix(name: str) -> bool:
    return PurePosixPath(name.replace("\\", "/")).suffix.lower() in SUFFIXES


def _by_study(table: pd.DataFrame, ids: list[str], images: Sequence[str]) -> pd.DataFrame:
    """The rows of images in folders that ids name; a study is the group of its images."""
    id_of_folder = {one.removesuffix("_study"): one for one in ids}
    id_of = {
        image: id_of_folder[folder]
        for image in images
        for folder in PurePosixPath(image).parent.parts
        if folder in id_of_folder
    }
    rows = pd.DataFrame({"path": list(id_of), "id": list(id_of.values())}).merge(table, on="id")
    return rows if "group" in rows else rows.assign(group=rows["id"])


def _by_image(
    table: pd.DataFrame, images: Sequence[str], others: Sequence[str], path: Path
) -> tuple[pd.DataFrame, int]:
    """The rows of the images that ids mean, and how many ids mean one."""
    ids = list(dict.fromkeys(table["id"]))
    matches = match_paths(ids, images)
    left = [one for one in ids if one not in matches.image_of and one not in matches.ambiguous]
    image_of = {**match_paths(left, others).image_of, **matches.image_of}
    rows = table.assign(path=[image_of.get(one, "") for one in table["id"]])
    if matches.ambiguous:
        one, meant = next(iter(matches.ambiguous.items()))
        raise DataError(
            f"An id of the table of labels means several images. Received: {path}, id {one!r} for "
            f"{shorten(meant)}. Write paths into the table, or describe under [layout] train which "
            "images it names."
        )
    if not image_of:
        rows = _by_study(table, ids, [*images, *others])
    rows = rows[rows["path"] != ""].drop_duplicates(["path", "label"])
    times = Counter(rows["path"])
    twice = rows.loc[rows["path"].map(times) > 1, "id"]
    if len(twice):
        raise DataError(
            f"The table of labels has two labels for one image. Received: {path}, "
            f"{shorten(sorted(set(twice)))}. Keep one line an image; several findings of it are "
            "joined by | in a cell, or have a column each."
        )
    return rows.set_index("path").drop(columns="id"), rows["id"].nunique()
