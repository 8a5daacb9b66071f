"""Finds the images of a data folder and what its paths and tables say about each."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, SettingError, shorten
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.merging import as_merged, merged_folder
from kagglecxr.data.files.metadata import with_labels, with_metadata, with_sources
from kagglecxr.data.images.image import SUFFIXES
from kagglecxr.data.schema import Layout

COLUMNS = ["id", "path", "label", "split", "group", "source", "mask"]


def find_images(root: Path, competition: Competition) -> pd.DataFrame:
    """All images of a data folder, and of those merged with it, before any is opened.

    Args:
        root: the data folder.
        competition: its layout and classes.

    Returns:
        A table of text: `id,path,label,split,group,source,mask`, sorted by id; paths are relative
        to `root` (or absolute, for data that are merged from an absolute folder), with forward
        slashes; what is not known is empty. `label` is filled for test images too where the
        layout tells it: whoever writes the index takes it out.

    Raises:
        MissingError: no such folder.
        DataError: no images, a class without images, or labels that match no image.
    """
    if not root.is_dir():
        raise MissingError(
            f"The data folder is not there. Received: {root}. "
            "Name the folder that holds the images with --data."
        )
    classes = competition.classes
    folders = {classes.folders.get(name, name): name for name in classes.names}
    tables = [_data_set(root, competition.layout, folders)]
    for part in competition.merge:
        place = merged_folder(root, part)
        found = _data_set(place, Layout(train=part.train, patient=part.patient), part.classes)
        tables.append(as_merged(found, place, root, part))
    table = pd.concat(tables).drop_duplicates("path")
    _refuse_strange_labels(table, competition)
    return table.sort_values("id")[COLUMNS].reset_index(drop=True)


def _data_set(root: Path, layout: Layout, folders: dict[str, str]) -> pd.DataFrame:
    """The images of one data set; `folders` tells the class of each class folder."""
    if layout.train:
        files = sorted(p.relative_to(root).as_posix() for p in _image_files(root))
        found = [
            *match_patterns(files, layout.train, "train", folders),
            *match_patterns(files, layout.test, "test", folders),
        ]
    else:
        found = _class_folders(root, folders)
    if not found:
        raise DataError(
            f"No images were found. Received: {root}, which should hold "
            f"{shorten(layout.train) or 'one sub-folder a class'}. Check the folder, or describe "
            "its layout in a TOML file."
        )
    table = pd.DataFrame(found, columns=["path", "label", "split"]).drop_duplicates("path")
    for column in ("group", "source", "mask"):
        table[column] = ""
    if layout.labels:
        table = with_labels(table, root, layout)
    table = _with_patients(table, layout.patient)
    table = _with_masks(table, root, layout.masks, {name: f for f, name in folders.items()})
    table = with_sources(table, root)
    table = with_metadata(table, root / layout.metadata)
    if layout.test_patients_apart:
        named = (table["split"] == "test") & (table["group"] != "")
        table["group"] = table["group"].mask(named, "test/" + table["group"])
    table["id"] = _ids(table["path"])
    return table


def _image_files(root: Path) -> Iterable[Path]:
    return (p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())


def _class_folders(root: Path, folders: dict[str, str]) -> list[tuple[str, str, str]]:
    """One sub-folder a class; images lie in it, or in its `images` where it has masks as well."""
    if not folders:
        folders = {
            p.name: p.name for p in sorted(root.iterdir()) if p.is_dir() and p.name[0] != "."
        }
    found = []
    for folder, name in folders.items():
        place = root / folder
        if (place / "images").is_dir():
            place = place / "images"
        files = sorted(p.relative_to(root).as_posix() for p in _image_files(place))
        if not files:
            raise DataError(
                f"A class folder holds no images. Received: {place} (looked for "
                f"{', '.join(sorted(SUFFIXES))}). Put the class's images there, or remove it."
            )
        found += [(path, name, "train") for path in files]
    return found


def _with_patients(table: pd.DataFrame, expression: str) -> pd.DataFrame:
    if expression:
        names = table["path"].map(lambda p: PurePosixPath(p).name)
        table["group"] = names.str.extract(expression, expand=True)[0].fillna("")
    return table


def _with_masks(
    table: pd.DataFrame, root: Path, pattern: str, folders: dict[str, str]
) -> pd.DataFrame:
    if not pattern:
        # The Radiography Database keeps <class>/masks beside <class>/images, one PNG an image.
        beside = table["path"].str.replace(
            r"(^|/)images/([^/]+)\.[^.]+$", r"\1masks/\2.png", regex=True
        )
    else:
        beside = pd.Series(
            [
                pattern.replace("{class}", folders.get(label, label)).replace(
                    "{stem}", PurePosixPath(path).stem
                )
                for path, label in zip(table["path"], table["label"], strict=True)
            ],
            index=table.index,
        )
    there = (beside != table["path"]) & beside.map(lambda p: (root / p).is_file())
    table["mask"] = beside.where(there, "")
    return table


def _ids(paths: "pd.Series[str]") -> list[str]:
    """File names without suffix; where two are alike, every image's whole path without suffix."""
    stems = [PurePosixPath(path).stem for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    whole = [str(PurePosixPath(path).with_suffix("")) for path in paths]
    return whole if len(set(whole)) == len(whole) else list(paths)


def _refuse_strange_labels(table: pd.DataFrame, competition: Competition) -> None:
    names = competition.classes.names
    if not names:
        return
    labels = set(table["label"]) - {""}
    strange, absent = sorted(labels - set(names)), [name for name in names if name not in labels]
    if strange:
        raise DataError(
            f"Labels were found that the competition does not name. Received: {shorten(strange)}. "
            f"Add them under [classes] names, which are {', '.join(names)}."
        )
    if absent:
        raise DataError(
            f"A class has no images. Received: none for {shorten(absent)}. Check the data folder "
            "and the layout."
        )


def match_patterns(
    files: list[str], patterns: list[str], split: str, folders: dict[str, str]
) -> list[tuple[str, str, str]]:
    """The files that match one of the patterns, as (path, label, split).

    Args:
        files: paths with forward slashes.
        patterns: paths with `{class}` for a class's folder and `*` for anything inside one part.
        split: train or test.
        folders: the class of each class folder.

    Raises:
        SettingError: a pattern has `{class}`, and there are no classes.
    """
    found = []
    for pattern in patterns:
        if "{class}" in pattern and not folders:
            raise SettingError(
                f"A layout with {{class}} needs the classes' names. Received: {pattern!r} and no "
                "names. List them under [classes] names."
            )
        expression = _expression(pattern, folders)
        for path in files:
            match = expression.fullmatch(path)
            if match:
                folder = match.groupdict().get("label")
                found.append((path, folders[folder] if folder else "", split))
    return found


def _expression(pattern: str, folders: dict[str, str]) -> re.Pattern[str]:
    parts = re.split(r"(\{class\}|\*)", pattern)
    either = "|".join(re.escape(folder) for folder in folders)
    translated = {"{class}": f"(?P<label>{either})", "*": "[^/]*"}
    return re.compile("".join(translated.get(part, re.escape(part)) for part in parts))
