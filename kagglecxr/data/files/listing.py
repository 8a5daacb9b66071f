"""The files of a data folder: its images, other files, and links to nothing."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.data.images.image import SUFFIXES, is_dicom

_OF_SYSTEMS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class FolderFiles:
    """The files below a folder, as sorted paths relative to it with forward slashes.

    Attributes:
        images: files with an image's suffix or, without any suffix, an image's first bytes.
        others: all others but those of the system and of the kit's workspaces.
        dangling: symbolic links whose target does not exist.
    """

    images: list[str]
    others: list[str]
    dangling: list[str]


def list_files(root: Path) -> FolderFiles:
    """Lists the files below a folder; symbolic links to folders are followed.

    Raises:
        DataError: the name of an image is not UTF-8, so that no table could hold it.
    """
    files = FolderFiles([], [], [])
    _add_files(root, "", files, (root.resolve(),))
    for paths in (files.images, files.others, files.dangling):
        paths.sort()
    check_names(files.images, root)
    return files


def check_names(images: Iterable[str], root: Path) -> None:
    """Refuses names that no table could hold.

    Raises:
        DataError: a name is not UTF-8.
    """
    wrong = [path for path in images if _shown(path) != path]
    if wrong:
        raise DataError(
            f"The name of an image is not UTF-8. Received: {shorten([_shown(p) for p in wrong])} "
            f"in {root}. Rename it, for example with: convmv -f cp1252 -t utf-8 -r --notest FOLDER"
        )


def sub_folders(folder: Path) -> list[str]:
    """Returns the names of a folder's sub-folders but those of the system and of the kit."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and not _is_of_the_system(path.name) and not _is_of_the_kit(path)
    )


def _add_files(root: Path, below: str, files: FolderFiles, real: tuple[Path, ...]) -> None:
    """Adds the files of a folder below the root; `real` are its real place and those above."""
    folder = root / below
    # scandir tells files from folders without a stat per entry, which matters for 100,000 images.
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = f"{below}{entry.name}"
            if _is_of_the_system(entry.name):
                continue
            if entry.is_dir():
                inside = Path(entry.path).resolve() if entry.is_symlink() else real[-1] / entry.name
                # A link back to where it lies would be walked for ever.
                if inside not in real and not _is_of_the_kit(folder / entry.name):
                    _add_files(root, f"{path}/", files, (*real, inside))
            elif entry.is_symlink() and not entry.is_file():
                files.dangling.append(path)
            elif is_image(entry):
                files.images.append(path)
            else:
                files.others.append(path)


def _is_of_the_system(name: str) -> bool:
    return name.startswith(".") or name in _OF_SYSTEMS


def _is_of_the_kit(folder: Path) -> bool:
    """Whether it is the folder of workspaces that a verb makes where the user stands."""
    return folder.name == "work" and any(folder.glob("*/prepare.json"))


def is_image(entry: "os.DirEntry[str] | Path") -> bool:
    """Whether a file has an image's suffix or, without any suffix, an image's first bytes."""
    suffix = PurePosixPath(entry.name).suffix.lower()
    # The ids that DICOM files may be called by are numbers with dots between them.
    if suffix and not suffix[1:].isdigit():
        return suffix in SUFFIXES
    with open(entry, "rb") as stream:  # noqa: PTH123
        if is_dicom(stream.read(132)):
            return True
    return bool(cv2.haveImageReader(os.fspath(entry)))


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
