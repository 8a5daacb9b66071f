"""Which folders of a data folder without a layout are classes, parts of the data, or neither."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.data.files.folder_tree import IMAGE_FOLDERS, NUMBERED, Folder, is_mask, split_of


@dataclass(frozen=True)
class ImageOfFolder:
    """An image's label, "" if unknown, and its split, train or test."""

    label: str
    split: str


@dataclass(frozen=True)
class FoldersFound:
    """What the folders of a data folder are taken for.

    Attributes:
        images: what is known of each image, by its path.
        inside: the folder that holds the class folders or parts, "" for the data folder itself.
        parts: the names of the parts in each split; none where folders are classes at once.
        sub_folders: all folders in it that hold images.
        left_out: those of them, and images, that are neither classes nor parts.
    """

    images: dict[str, ImageOfFolder]
    inside: str
    parts: dict[str, list[str]]
    sub_folders: list[str]
    left_out: list[str]


def find_class_folders(images: Sequence[str], named: Mapping[str, str]) -> FoldersFound:
    """Recognises the class folders among the paths of a data folder's images.

    Known forms: a folder a class; parts (train, val, test) of class folders; class folders of
    parts; any of them in a single folder. A class folder may have images and masks in folders of
    their own.

    Args:
        images: their paths, relative to the data folder.
        named: the class of each class folder; none if all folders are classes.

    Raises:
        DataError: the folders can be read in two ways.
    """
    folder = Folder("", images)
    while (single := _single_container(folder, named)) is not None:
        folder = single
    parts = folder.parts(named)
    if parts:
        found = _images_of_parts(folder, parts, named)
        used = {name for names in parts.values() for name in names}
    else:
        classes = folder.classes(named)
        # A test set without class folders may stand beside them.
        parts = {"test": [name for name in classes if not named and split_of(name) == "test"]}
        beside = {name: one for name, one in classes.items() if name not in parts["test"]}
        if not named:
            _refuse_what_is_no_class(beside, parts["test"])
        found = _images_of_classes(beside, named, "train")
        for name in parts["test"]:
            found |= dict.fromkeys(classes[name].images, ImageOfFolder("", "test"))
        used = set(classes)
        parts = parts if parts["test"] else {}
    left_out = sorted(f"{name}/" for name in folder.sub_folders if name not in used)
    if stray := len(folder.own_images):
        left_out.append(f"{stray} images in no folder")
    return FoldersFound(found, folder.path, parts, list(folder.sub_folders), left_out)


def _single_container(folder: Folder, named: Mapping[str, str]) -> Folder | None:
    """The only sub-folder that holds class folders or parts, where no sub-folder is a class."""
    if (named and folder.classes(named)) or folder.parts(named):
        return None
    candidates = [one for one in folder.classes({}).values() if one.holds_folders_alone]
    if not named and len(folder.classes({})) > 1:
        return None
    fewest = 1 if named else 2
    holders = [
        one
        for one in candidates
        if len(one.classes(named)) >= fewest
        or one.parts(named)
        or _single_container(one, named) is not None
    ]
    return holders[0] if len(holders) == 1 else None


def _images_of_parts(
    folder: Folder, parts: Mapping[str, list[str]], named: Mapping[str, str]
) -> dict[str, ImageOfFolder]:
    found: dict[str, ImageOfFolder] = {}
    for name in parts["train"]:
        found |= _images_of_classes(folder.sub_folders[name].classes(named), named, "train")
    known = named or {image.label: image.label for image in found.values()}
    for name in parts["test"]:
        part = folder.sub_folders[name]
        unlabelled = ImageOfFolder("", "test")
        found |= {image: unlabelled for image in part.images if not is_mask(image)}
        found |= _images_of_classes(part.classes(known), known, "test")
    return found


def _images_of_classes(
    classes: Mapping[str, Folder], named: Mapping[str, str], split: str
) -> dict[str, ImageOfFolder]:
    found = {}
    for name, of_class in classes.items():
        below = Folder(of_class.path, _without_masks(of_class))
        splits = {part: split_of(part) for part in below.sub_folders}
        is_split = "train" in splits.values() and all(splits.values()) and not below.own_images
        for image in below.images:
            part = image[len(below.path) :].partition("/")[0]
            found[image] = ImageOfFolder(named.get(name, name), splits[part] if is_split else split)
    return found


def _without_masks(folder: Folder) -> list[str]:
    """The images of a class: those of its folder of images or, without one, all but its masks."""
    of_images = [
        image
        for name, one in folder.sub_folders.items()
        if name.lower() in IMAGE_FOLDERS
        for image in one.images
    ]
    return of_images or [i for i in folder.images if not is_mask(i[len(folder.path) :])]


def _refuse_what_is_no_class(folders: Mapping[str, Folder], tests: list[str]) -> None:
    """Refuses folders that are parts of the data, data sets of their own, or hold each class."""
    parts = [f"{name}/" for name in folders if split_of(name) or re.fullmatch(NUMBERED, name)]
    if parts or (tests and not folders):
        shown = [*parts, *(f"{name}/" for name in tests)]
        train = f"{parts[0] if parts else 'FOLDER/'}**/*"
        raise DataError(
            f"Folders of images are no classes. Received: {shorten(shown)}, without class folders "
            "in them. Describe the table of labels in a TOML file, with [layout] train = "
            f'["{train}"] and labels = "FILE.csv".'
        )
    data_sets = [
        name
        for name, one in folders.items()
        if one.holds_folders_alone and (one.parts({}) or _single_container(one, {}) is not None)
    ]
    inner = Counter(
        label
        for one in folders.values()
        if one.holds_folders_alone
        for label in one.classes({})
        if not split_of(label)
    )
    shared = sorted(label for label, times in inner.items() if times > 1)
    if (data_sets and len(folders) > 1) or len(shared) > 1:
        held = f", of which several hold {shorten(shared)}" if shared else ""
        raise DataError(
            f"It is not clear which folders are classes. Received: "
            f"{shorten(data_sets or list(folders))}{held}. Name one of them, or describe the "
            "layout in a TOML file, for example with [classes] names and [layout] train = "
            '["*/{class}/*"].'
        )
