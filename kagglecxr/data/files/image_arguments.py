"""The images that a command line names: files, folders and glob patterns."""

import glob
import itertools
import os.path
from collections.abc import Sequence
from pathlib import Path

from kagglecxr.core.errors import MissingError, shorten
from kagglecxr.data.files.listing import check_names, is_image, list_files


def find_images(names: Sequence[str]) -> list[str]:
    """Finds the images of files, folders and glob patterns, in the order of the names, each once.

    A file is taken whatever it is; a folder is searched with all folders below it; a pattern, in
    which `**` is any number of folders, means images and folders. What one name means is sorted.
    Relative paths stay relative to the current folder.

    Raises:
        MissingError: a name means no image.
        DataError: the name of an image is not UTF-8, so that no table could hold it.
    """
    found = {name: _images_of(name) for name in names}
    empty = [name for name in found if not found[name]]
    if empty or not found:
        raise MissingError(
            f"No image was found. Looked in: {shorten(empty, 10) or 'nothing'}, from {Path.cwd()}. "
            "Name image files, folders of images, or patterns in quotes such as 'xrays/**/*.png'."
        )
    images: dict[str, str] = {}
    for image in itertools.chain.from_iterable(found.values()):
        images.setdefault(os.path.normpath(Path(image).absolute()), image)
    check_names(images.values(), Path.cwd())
    return list(images.values())


def _images_of(name: str) -> list[str]:
    path = Path(name)
    if path.is_dir():
        return [str(path / image) for image in list_files(path).images]
    if path.is_file():
        return [name]
    images: set[str] = set()
    # Other than Path.glob it takes absolute patterns.
    for match in map(Path, glob.glob(name, recursive=True)):  # noqa: PTH207
        if match.is_dir():
            images.update(_images_of(str(match)))
        elif match.is_file() and is_image(match):
            images.add(str(match))
    return sorted(images)
