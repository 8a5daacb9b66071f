"""Finds the images of a data folder and what its paths and tables say about each."""

import re
import warnings
from collections import Counter
from pathlib import Path, PurePosixPath

import pandas as pd

from kagglecxr.core.errors import CxrWarning, DataError, MissingError, SettingError, shorten
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.merging import merged_folder, merged_rows
from kagglecxr.data.files.metadata import with_labels, with_metadata, with_sources
from kagglecxr.data.files.patients import find_patients
from kagglecxr.data.images.image import SUFFIXES
from kagglecxr.data.schema import Layout

COLUMNS = ["id", "path", "label", "split", "group", "source", "mask"]


def find_images(root: Path, competition: Competition) -> pd.DataFrame:
    """Lists all images of a data folder and of the data sets merged with it, without opening any.

    Returns:
        A table of text, `id,path,label,split,group,source,mask`, sorted by id. Paths are relative
        to `root` (or absolute, for data merged from an absolute folder) and have forward slashes;
        unknown values are empty. Test images have their label if the layout has it: whoever writes
        the index must remove it.

    Raises:
        MissingError: the folder does not exist.
        DataError: no images, a class without images, or labels that match no image.
    """
    if not root.is_dir():
        raise MissingError(
            f"The data folder does not exist. Received: {root}. "
            "Name the folder that holds the images with --data."
        )
    tables = [_find_data_set(root, competition.layout, class_folders(competition))]
    for part in competition.merge:
        folder = merged_folder(root, part)
        layout = Layout(train=part.train, patient=part.patient)
        tables.append(merged_rows(_find_data_set(folder, layout, part.classes), folder, root, part))
    table = pd.concat(tables).drop_duplicates("path")
    _check_labels(table, competition, root)
    return table.sort_values("id")[COLUMNS].reset_index(drop=True)


def class_folders(competition: Competition) -> dict[str, str]:
    """Returns the class of each class folder."""
    classes = competition.classes
    return {classes.folders.get(name, name): name for name in classes.names}


def list_images(root: Path, folder: Path) -> list[str]:
    """Returns the sorted paths, relative to `root`, of all image files in a folder below it.

    Files of the system, as a Mac puts into an archive, are no images.
    """
    paths = (path.relative_to(root) for path in folder.rglob("*"))
    return sorted(
        path.as_posix()
        for path in paths
        if path.suffix.lower() in SUFFIXES
        and not any(_is_of_the_system(part) for part in path.parts)
        and (root / path).is_file()
    )


def _is_of_the_system(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def match_patterns(
    files: list[str], patterns: list[str], split: str, folders: dict[str, str]
) -> list[tuple[str, str, str]]:
    """Returns the files that match one of the patterns as (path, label, split).

    In a pattern `{class}` is a class's folder and `*` any text without a slash; `folders` has the
    class of each class folder.

    Raises:
        SettingError: a pattern has `{class}`, and there are no classes.
    """
    found = []
    for pattern in patterns:
        if "{class}" in pattern and not folders:
            raise SettingError(
                f"A layout with {{class}} needs the names of the classes. Received: {pattern!r} "
                "and no names. List them under [classes] names."
            )
        expression = _to_regex(pattern, folders)
        for path in files:
            match = expression.fullmatch(path)
            if match:
                folder = match.groupdict().get("label")
                found.append((path, folders[folder] if folder else "", split))
    return found


def _to_regex(pattern: str, folders: dict[str, str]) -> re.Pattern[str]:
    parts = re.split(r"(\{class\}|\*)", pattern)
    alternatives = "|".join(re.escape(folder) for folder in folders)
    translated = {"{class}": f"(?P<label>{alternatives})", "*": "[^/]*"}
    return re.compile("".join(translated.get(part, re.escape(part)) for part in parts))


def _find_data_set(root: Path, layout: Layout, folders: dict[str, str]) -> pd.DataFrame:
    if layout.train:
        files = list_images(root, root)
        found = [
            *match_patterns(files, layout.train, "train", folders),
            *match_patterns(files, layout.test, "test", folders),
        ]
    else:
        found = _find_in_class_folders(root, folders)
    if not found:
        raise DataError(
            f"No images were found. Received: {root}, which should hold "
            f"{shorten(layout.train) or 'one sub-folder per class'}. Check the folder, or describe "
            "its layout in a TOML file."
        )
    table = pd.DataFrame(found, columns=["path", "label", "split"]).drop_duplicates("path")
    for column in ("group", "source", "mask"):
        table[column] = ""
    if layout.labels:
        table = with_labels(table, root, layout)
    if layout.patient:
        table["group"] = find_patients(table["path"], layout.patient)
    table["mask"] = _find_masks(table, root, layout.masks, {v: k for k, v in folders.items()})
    table = with_sources(table, root)
    table = with_metadata(table, root / layout.metadata, root / layout.labels)
    if layout.test_patients_apart:
        is_known = (table["split"] == "test") & (table["group"] != "")
        table["group"] = table["group"].mask(is_known, "test/" + table["group"])
    table["id"] = _make_ids(table["path"])
    return table


def _find_in_class_folders(root: Path, folders: dict[str, str]) -> list[tuple[str, str, str]]:
    """Lists the images of one folder per class, or of its `images` folder if it has one."""
    found, empty = [], []
    for name, label in (folders or {name: name for name in _sub_folders(root)}).items():
        folder = root / name
        if (folder / "images").is_dir():
            folder = folder / "images"
        files = list_images(root, folder)
        if not files and folders:
            raise DataError(
                f"A class folder holds no images. Received: {folder} (looked for "
                f"{', '.join(sorted(SUFFIXES))}). Put the class's images there, or remove it."
            )
        if not files:
            empty.append(name)
        found += [(path, label, "train") for path in files]
    if empty and found:
        warnings.warn(CxrWarning(f"Left out, without images: {', '.join(empty)}."), stacklevel=2)
    return found


def _sub_folders(root: Path) -> list[str]:
    """Returns the folders below `root` that may hold a class's images."""
    below = [path for path in sorted(root.iterdir()) if path.is_dir()]
    return [p.name for p in below if not _is_of_the_system(p.name) and not _is_of_the_kit(p)]


def _is_of_the_kit(folder: Path) -> bool:
    """Whether it is the folder of workspaces that a verb makes where the user stands."""
    return folder.name == "work" and any(folder.glob("*/prepare.json"))


def _find_masks(
    table: pd.DataFrame, root: Path, pattern: str, folder_of_class: dict[str, str]
) -> "pd.Series[str]":
    if pattern:
        paths = [
            pattern.replace("{class}", folder_of_class.get(label, label)).replace(
                "{stem}", PurePosixPath(path).stem
            )
            for path, label in zip(table["path"], table["label"], strict=True)
        ]
        masks = pd.Series(paths, index=table.index)
    else:
        # The Radiography Database has <class>/masks next to <class>/images, one PNG per image.
        masks = table["path"].str.replace(
            r"(^|/)images/([^/]+)\.[^.]+$", r"\1masks/\2.png", regex=True
        )
    exists = (masks != table["path"]) & masks.map(lambda path: (root / path).is_file())
    return masks.where(exists, "")


def _make_ids(paths: "pd.Series[str]") -> list[str]:
    """File names without suffix or, if two are equal, whole paths without suffix."""
    stems = [PurePosixPath(path).stem for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    whole = [str(PurePosixPath(path).with_suffix("")) for path in paths]
    return whole if len(set(whole)) == len(whole) else list(paths)


def _check_labels(table: pd.DataFrame, competition: Competition, root: Path) -> None:
    names, labels = competition.classes.names, set(table["label"]) - {""}
    if not labels:
        raise DataError(
            f"No image has a label. Received: {len(table)} images of {root}. Put {{class}} into "
            "[layout] train, or name a table of labels under [layout] labels."
        )
    if not names:
        _check_found_classes(table, labels, root)
        return
    unknown, absent = sorted(labels - set(names)), [name for name in names if name not in labels]
    if unknown:
        raise DataError(
            f"Labels were found that the competition does not name. Received: {shorten(unknown)}. "
            f"Add them under [classes] names, which are {', '.join(names)}."
        )
    if absent:
        raise DataError(
            f"A class has no images. Received: none for {shorten(absent)}. Check the data folder "
            "and the layout."
        )


def _check_found_classes(table: pd.DataFrame, labels: set[str], root: Path) -> None:
    spellings = Counter(label.casefold() for label in labels)
    alike = sorted(label for label in labels if spellings[label.casefold()] > 1)
    if alike:
        raise DataError(
            f"Labels differ in capital letters alone. Received: {shorten(alike)}. Write each class "
            "in one way, or list both under [classes] names."
        )
    if len(labels) == 1:
        (only,) = labels
        inside = root / only
        below = _sub_folders(inside) if inside.is_dir() else []
        is_too_high = sum(bool(list_images(inside, inside / name)) for name in below) > 1
        advice = f"Name {inside} instead" if is_too_high else "Add a folder of another class"
        raise DataError(
            f"All images are of one class. Received: {len(table)} images of {only!r} in {root}. "
            f"{advice}."
        )
