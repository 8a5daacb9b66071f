"""The lung mask of each image, among the files of a data folder."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from kagglecxr.data.files.folder_tree import IMAGE_FOLDERS, MASK_FOLDERS

_AROUND_THE_STEM = re.compile(r"(?:mask[_-])?(.*?)(?:[_-]mask)?", re.IGNORECASE)


def find_masks(images: Sequence[str]) -> dict[str, str]:
    """Returns the mask of each image that has one in a folder of masks or beside it.

    A folder of masks stands next to a folder of images, as the Radiography Database has it, or in
    the images' own folder, in any capitals. A mask's name is its image's, or has `mask_` before or
    `_mask` behind it, as an image's beside it must have.

    >>> find_masks(["a/images/1.jpg", "a/masks/mask_1.png"])
    {'a/images/1.jpg': 'a/masks/mask_1.png'}
    """
    masks: dict[tuple[str, str], str] = {}
    for file in images:
        path = PurePosixPath(file)
        stem = _image_stem(path.stem.casefold())
        folder = path.parent.name.lower()
        # Masks of lesions say where the disease is.
        if folder in MASK_FOLDERS and "infection" not in folder:
            masks[str(path.parent.parent), stem] = file
        elif stem != path.stem.casefold():
            masks.setdefault((str(path.parent), stem), file)
    found = {}
    for image in images:
        path = PurePosixPath(image)
        is_in_images = path.parent.name.lower() in IMAGE_FOLDERS
        places = [path.parent, *([path.parent.parent] if is_in_images else [])]
        keys = [(str(place), path.stem.casefold()) for place in places]
        mask = next((masks[key] for key in keys if key in masks), "")
        if mask and mask != image:
            found[image] = mask
    return found


def masks_by_pattern(
    root: Path, table: pd.DataFrame, pattern: str, folders: Mapping[str, str]
) -> dict[str, str]:
    """Returns the mask of each image of `path,label` that has one where a layout's pattern says."""
    folder_of = {label: folder for folder, label in folders.items()}
    found = {}
    for image, label in zip(table["path"], table["label"], strict=True):
        mask = pattern.replace("{class}", folder_of.get(label, label))
        mask = mask.replace("{stem}", PurePosixPath(image).stem)
        if mask != image and (root / mask).is_file():
            found[image] = mask
    return found


def _image_stem(stem: str) -> str:
    match = _AROUND_THE_STEM.fullmatch(stem)
    return match.group(1) if match else stem
