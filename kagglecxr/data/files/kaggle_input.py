"""Finds a competition's data among what Kaggle has mounted, in whichever of its ways."""

import glob
import os
import re
from pathlib import Path

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.data.competition import Competition
from kagglecxr.data.images.image import SUFFIXES

DEEPEST = 6
"""Levels of folders that are looked through; datasets/<owner>/<slug> are three of them."""


def locate_input(competition: Competition, mounts: Path) -> Path:
    """The folder below the mounts in which a competition's layout finds its images.

    Kaggle mounts a data set as <slug>/, competitions/<slug>/ or datasets/<owner>/<slug>/, so its
    files are looked for: from the shallowest folder down, so that paths below the one that is found
    are those of an unpacked download. What lies in a folder of the competition's slug goes before
    all else, and of that what holds most of what the layout names. The images of the test part
    alone do as well: a kernel that is run again for its score may see no others.

    Args:
        competition: its layout, classes and slug.
        mounts: /kaggle/input on Kaggle.

    Raises:
        MissingError: nothing there holds such images.
        DataError: several folders do, equally well.
    """
    slug = competition.source.slug.rpartition("/")[2].lower()
    found: list[tuple[tuple[bool, int], Path]] = []
    level = _folders(mounts) if mounts.is_dir() else []
    for _ in range(DEEPEST):
        closed = []
        for folder in level:
            named = slug in [part.lower() for part in folder.relative_to(mounts).parts]
            holds = _count(folder, competition)
            if holds:
                found.append(((named, holds), folder))
            else:
                closed.append(folder)
        level = [child for folder in closed for child in _folders(folder)]
    if not found:
        raise MissingError(
            f"The data of {competition.name} are not among what is mounted. Received: "
            f"{_mounted_folders(mounts)}. Attach {competition.source.slug or 'its data set'} to "
            "the kernel, or describe where its images are under [layout]."
        )
    best = max(rank for rank, _ in found)
    first, *others = [folder for rank, folder in found if rank == best]
    if others:
        raise DataError(
            f"Several folders hold what looks like the data of {competition.name}. Received: "
            f"{shorten([str(folder) for folder in (first, *others)])}. Attach one of them alone, "
            "or tell them apart under [source] slug or [layout]."
        )
    return first


def _folders(folder: Path) -> list[Path]:
    # Some hold a hundred thousand images: their entries tell what they are without being asked.
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
    return [folder / name for name in names]


def _count(folder: Path, competition: Competition) -> int:
    """How much of what the layout names is there; 0 where there are no images."""
    layout = competition.layout
    names = [competition.classes.folders.get(name, name) for name in competition.classes.names]
    if layout.train:
        parts = (layout.train, layout.test)
        images = sum(any(_matches(folder, some, names) for some in part) for part in parts)
    elif names:
        images = all(_holds_image(folder / name, "**/*") for name in names)
    else:
        images = _holds_classes(folder)
    tables = sum(
        bool(name) and (folder / name).is_file() for name in (layout.labels, layout.sample)
    )
    return images and images + tables


def _matches(folder: Path, pattern: str, class_folders: list[str]) -> bool:
    """Whether any image matches a layout's pattern."""
    literal = {"*": "*", "{class}": "{class}"}
    parts = re.split(r"(\{class\}|\*)", pattern)
    translated = "".join(literal.get(part, glob.escape(part)) for part in parts)
    # Two stars are one to a layout, and any number of folders to glob.
    translated = re.sub(r"\*+", "*", translated)
    if "{class}" not in translated:
        return _holds_image(folder, translated)
    return any(
        _holds_image(folder, translated.replace("{class}", glob.escape(name)))
        for name in class_folders
    )


def _holds_classes(folder: Path) -> bool:
    """Whether all that is in a folder are two or more folders with images right in them."""
    inside = _folders(folder)
    return len(inside) > 1 and all(
        _holds_image(child, "*") or _holds_image(child, "images/*") for child in inside
    )


def _holds_image(folder: Path, pattern: str) -> bool:
    return any(path.suffix.lower() in SUFFIXES and path.is_file() for path in folder.glob(pattern))


def _mounted_folders(mounts: Path) -> str:
    inside = _folders(mounts) if mounts.is_dir() else []
    # The two that only group what is mounted tell nothing by themselves.
    deeper = {"datasets": "*/*", "competitions": "*"}
    shown = [
        found.relative_to(mounts).as_posix()
        for folder in inside
        for found in (
            sorted(folder.glob(deeper[folder.name])) if folder.name in deeper else [folder]
        )
    ]
    return f"{shorten(shown, 8) or 'nothing'} in {mounts}"
