"""Locates a competition's data among the folders that Kaggle mounts in a kernel."""

import glob
import os
import re
from collections.abc import Mapping
from pathlib import Path

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.class_folders import find_class_folders
from kagglecxr.data.files.layout import class_folders
from kagglecxr.data.files.listing import list_files
from kagglecxr.data.images.image import SUFFIXES

_MOUNT_DEPTH = {"datasets": 3, "competitions": 2}
"""How deep data sets lie in the folders that only group mounts; others are mounts themselves."""
MAX_DEPTH = 6
"""Levels of folders that are searched; datasets/<owner>/<slug> are three of them."""


def locate_input(competition: Competition, mounts: Path) -> Path:
    """Returns the mounted folder in which the competition's layout finds its images.

    Kaggle mounts a data set as <slug>/, competitions/<slug>/ or datasets/<owner>/<slug>/. The
    search goes from the shallowest folder down, so that paths below the result are those of an
    unpacked download. A folder below one named after the competition's slug is preferred, then the
    one with most of what the layout names. Test images alone are enough, since a kernel that
    Kaggle runs again for scoring may have no others.

    Raises:
        MissingError: no folder holds such images.
        DataError: several folders fit equally well.
    """
    slug = competition.source.slug.rpartition("/")[2].lower()
    found: list[tuple[tuple[bool, int], Path]] = []
    level = _subfolders(mounts) if mounts.is_dir() else []
    for _ in range(MAX_DEPTH):
        empty = []
        for folder in level:
            is_named = slug in [part.lower() for part in folder.relative_to(mounts).parts]
            score = _score(folder, competition, folder.relative_to(mounts))
            if score:
                found.append(((is_named, score), folder))
            else:
                empty.append(folder)
        level = [child for folder in empty for child in _subfolders(folder)]
    if not found:
        raise MissingError(
            f"The data of {competition.name} are not mounted. Received: {_describe(mounts)}. "
            f"Attach {competition.source.slug or 'its data set'} to the kernel, or describe where "
            "its images are under [layout]."
        )
    best = max(rank for rank, _ in found)
    first, *others = [folder for rank, folder in found if rank == best]
    if others:
        raise DataError(
            f"Several folders hold what looks like the data of {competition.name}. Received: "
            f"{shorten([str(folder) for folder in (first, *others)])}. Attach only one of them, "
            "or distinguish them by [source] slug or [layout]."
        )
    return first


def _subfolders(folder: Path) -> list[Path]:
    # scandir needs no stat per entry, which matters in folders of a hundred thousand images.
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
    return [folder / name for name in names]


def _score(folder: Path, competition: Competition, below: Path) -> int:
    """Counts the parts of the layout that a folder has; 0 if it has no images."""
    layout, folders = competition.layout, class_folders(competition)
    named = (layout.labels, layout.test_labels, layout.sample)
    tables = sum(bool(name) and (folder / name).is_file() for name in named)
    parts = [part for part in (layout.train, layout.test) if part]
    images = sum(any(_has_match(folder, some, list(folders)) for some in part) for part in parts)
    if layout.labels and not layout.train:
        images = images or int(tables > 0 and _has_image(folder, "**/*"))
    elif not layout.train and not _groups_mounts(below):
        is_named = folder.name == competition.source.slug.rpartition("/")[2].lower()
        images = images or int(_has_class_folders(folder, folders, is_named=is_named))
    return images and images + tables


def _groups_mounts(below: Path) -> bool:
    """Whether Kaggle mounts data sets below a folder, and not itself."""
    return len(below.parts) < _MOUNT_DEPTH.get(below.parts[0], 1)


def _has_match(folder: Path, pattern: str, folders: list[str]) -> bool:
    parts = re.split(r"(\{class\}|\*+)", pattern)
    kept = ("*", "**", "{class}")
    translated = "".join(part if part in kept else glob.escape(part) for part in parts)
    if translated.endswith("**"):
        # Alone it means folders to glob, and files to a layout.
        translated += "/*"
    if not folders:
        translated = translated.replace("{class}", "*")
    if "{class}" not in translated:
        return _has_image(folder, translated)
    return any(
        _has_image(folder, translated.replace("{class}", glob.escape(name))) for name in folders
    )


def _has_class_folders(folder: Path, folders: Mapping[str, str], *, is_named: bool) -> bool:
    """Whether a folder holds the class folders; in a folder of its own if the data set is named."""
    try:
        found = find_class_folders(list_files(folder).images, folders)
    except DataError:
        return False
    labels = {image.label for image in found.images.values()} - {""}
    is_whole = labels == set(folders.values()) if folders else len(labels) > 1
    return is_whole and (not found.inside or is_named)


def _has_image(folder: Path, pattern: str) -> bool:
    return any(path.suffix.lower() in SUFFIXES and path.is_file() for path in folder.glob(pattern))


def _describe(mounts: Path) -> str:
    shown = [
        found.relative_to(mounts).as_posix()
        for folder in (_subfolders(mounts) if mounts.is_dir() else [])
        for found in (
            sorted(folder.glob("/".join("*" * (_MOUNT_DEPTH[folder.name] - 1))))
            if folder.name in _MOUNT_DEPTH
            else [folder]
        )
    ]
    return f"{shorten(shown, 8) or 'nothing'} in {mounts}"
