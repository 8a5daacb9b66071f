"""Sources, groups, masks and labels from the metadata in a data folder."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.data.files.folder_tree import IMAGE_FOLDERS
from kagglecxr.data.files.matching import match_paths
from kagglecxr.data.files.tables import read_any_table
from kagglecxr.data.images.image import name_without_suffix

_HOSTS_WITH_OWNERS = frozenset({"github.com", "kaggle.com", "huggingface.co", "data.mendeley.com"})


def with_metadata(
    table: pd.DataFrame, path: Path, labels: Path, files: Sequence[str]
) -> pd.DataFrame:
    """Adds source, group and mask from a metadata.csv, and the labels of unlabelled images.

    It may be the table of labels, which needs no paths. `files` are the paths that masks may have.

    Raises:
        DataError: it has no column `path`, none of its paths is that of an image, or it names a
            mask that is not there.
    """
    if not path.is_file():
        return table
    metadata = read_any_table(path).rename(columns=str.casefold)
    if "path" not in metadata and path == labels:
        return table
    if "path" not in metadata:
        raise DataError(
            f"A metadata file has no column 'path'. Received: {path} with "
            f"{list(metadata.columns)}. Add it, move that file away, or write [layout] metadata = "
            '"".'
        )
    images, written = list(table["path"]), list(metadata["path"])
    image_of = match_paths(written, images).image_of
    if not image_of:
        raise DataError(
            f"No path of a metadata file is that of an image. Received: {path} with "
            f"{shorten(written) or 'no line'}; images are {shorten(images)}. Correct the paths, "
            'move that file away, or write [layout] metadata = "".'
        )
    metadata["path"] = [image_of.get(one, "") for one in written]
    metadata = metadata.drop_duplicates("path").set_index("path").reindex(images).fillna("")
    if "mask_path" in metadata:
        metadata["mask_path"] = _masks(list(metadata["mask_path"]), files, path)
    for column, name in (
        ("group", "patient_id"),
        ("group", "group_id"),
        ("source", "source"),
        ("mask", "mask_path"),
        ("mask_source", "mask_source"),
    ):
        if name in metadata:
            both = zip(metadata[name], table[column], strict=True)
            table[column] = [new or old for new, old in both]
    if "label" in metadata:
        both = zip(metadata["label"], table["label"], strict=True)
        table["label"] = [old or new for new, old in both]
    return table


def _masks(written: list[str], files: Sequence[str], path: Path) -> list[str]:
    named = [one for one in written if one]
    image_of = match_paths(named, files, guess=False).image_of
    absent = [one for one in named if one not in image_of]
    if absent:
        raise DataError(
            f"A metadata file names masks that are not there. Received: {path} with "
            f"{len(absent):,} of them, {shorten(absent)}. Correct mask_path, or empty those cells."
        )
    return [image_of.get(one, "") for one in written]


def with_sources(table: pd.DataFrame, root: Path) -> pd.DataFrame:
    """Adds each image's source from the Radiography Database's `<class>.metadata.xlsx` sheets.

    The sheets are in the parent of the class folders. They name an image without its suffix, not
    always in its file's letter case, and its source by a URL.

    Raises:
        MissingError: there are such sheets, and openpyxl is not installed.
        DataError: a sheet cannot be read or lacks a column.
    """
    folders = table["path"].map(_class_folder)
    for folder in sorted(set(folders)):
        sheet = root / folder.parent / f"{folder.name}.metadata.xlsx"
        if sheet.is_file():
            source_of = _read_sources(sheet)
            rows = folders == folder
            names = table.loc[rows, "path"].map(name_without_suffix).str.casefold()
            table.loc[rows, "source"] = names.map(source_of).fillna("")
    return table


def _class_folder(path: str) -> PurePosixPath:
    folder = PurePosixPath(path).parent
    return folder.parent if folder.name.lower() in IMAGE_FOLDERS else folder


def _read_sources(sheet: Path) -> dict[str, str]:
    """Returns the source of each image of a sheet by its case-folded name without suffix."""
    try:
        with warnings.catch_warnings():
            # openpyxl warns about sheets that other programs wrote without a default style.
            warnings.simplefilter("ignore")
            cells = pd.read_excel(sheet, dtype=str, keep_default_na=False, engine="openpyxl")
    except ImportError as error:
        raise MissingError(
            f"Reading the images' sources needs a package that is not installed. "
            f"Received: {sheet}. Run: pip install 'kagglecxr[excel]'"
        ) from error
    except Exception as error:
        # openpyxl raises nearly anything for a damaged file, from BadZipFile to KeyError.
        raise DataError(
            f"A sheet of the images' sources cannot be read. Received: {sheet} ({error}). "
            "Download it again, or remove it."
        ) from error
    cells.columns = [str(column).strip().upper() for column in cells.columns]
    missing = [column for column in ("FILE NAME", "URL") if column not in cells]
    if missing:
        raise DataError(
            f"A sheet of the images' sources lacks a column. Received: {sheet} with "
            f"{list(cells.columns)}, without {shorten(missing)}. Download it again, or remove it."
        )
    names = cells["FILE NAME"].str.strip().map(name_without_suffix).str.casefold()
    return dict(zip(names, cells["URL"].map(_site), strict=True))


def _site(url: str) -> str:
    """Returns a URL's host, with owner and name on hosts of many people's data.

    >>> _site("https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data")
    'kaggle.com/c/rsna-pneumonia-detection-challenge'
    >>> _site("https://eurorad.org/case/1")
    'eurorad.org'
    """
    address = re.split(r"[?#]", re.sub(r"^(\w+:)?//", "", url.strip()))[0]
    host, *path = address.split("/")
    host = host.casefold().removeprefix("www.")
    return "/".join([host, *path[:2]]).rstrip("/") if host in _HOSTS_WITH_OWNERS else host
