"""Which folders of a data folder without a layout are classes, parts of the data, or neither."""

import functools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from kagglecxr.core.errors import DataError, shorten

_PARTS = (
    ("train", r"train|training"), ("train", r"val|valid|validation|dev"), ("test", r"test|testing"),
)  # fmt: skip
"""The split of folders that are parts of the data, in order; folds are made anew of the first."""

IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "img"})
MASK_FOLDERS = frozenset({"masks", "mask", "lung masks", "lung_masks", "infection masks"})
"""Folders beside or among the images of a class, in lower case."""

_NUMBERED = r"(?i)(images?|imgs?|part|batch)[_\- ]?\d+"
"""Names of folders among which a large collection is divided."""
_NO_CLASSES = MASK_FOLDERS | {
    "results", "result", "plots", "figures", "output", "outputs", "notebooks", "work",
    "submissions", "exports", "runs", "logs", "models", "checkpoints", "docs", "reports",
}  # fmt: skip
"""Folders that hold no images of a class, unless the competition names them."""


def split_of(name: str) -> str:
    """Returns the split, train or test, that a part of the data is of; "" if it is no part.

    >>> split_of("Training"), split_of("val_images"), split_of("test-set"), split_of("testis")
    ('train', 'train', 'test', '')
    """
    return _PARTS[order][0] if (order := _order(name)) < len(_PARTS) else ""


def _order(name: str) -> int:
    ends = r"([_\- ]?(images?|imgs?|set|data|png|jpe?g))?"
    found = [
        k for k, (_, words) in enumerate(_PARTS) if re.fullmatch(f"({words}){ends}", name.lower())
    ]
    return found[0] if found else len(_PARTS)


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


@dataclass(frozen=True)
class _Folder:
    """A folder by the images below it; its path ends with a slash, or is "" for the data folder."""

    path: str
    images: Sequence[str]

    @functools.cached_property
    def sub_folders(self) -> dict[str, "_Folder"]:
        below: dict[str, list[str]] = {}
        for image in self.images:
            name, slash, _ = image[len(self.path) :].partition("/")
            if slash:
                below.setdefault(name, []).append(image)
        return {name: _Folder(f"{self.path}{name}/", images) for name, images in below.items()}

    @property
    def own_images(self) -> list[str]:
        return [image for image in self.images if "/" not in image[len(self.path) :]]

    @property
    def holds_folders_alone(self) -> bool:
        has_images = any(name.lower() in IMAGE_FOLDERS for name in self.sub_folders)
        return not self.own_images and not has_images

    def classes(self, named: Mapping[str, str]) -> dict[str, "_Folder"]:
        """The sub-folders that are classes or, without names, may be classes."""
        return {
            name: folder
            for name, folder in self.sub_folders.items()
            if (name in named if named else _may_be_class(name))
        }

    def parts(self, named: Mapping[str, str]) -> dict[str, list[str]]:
        """The sub-folders of each split, if they are parts of the data and hold classes."""
        if named and self.classes(named):
            return {}
        parts: dict[str, list[str]] = {"train": [], "test": []}
        for name in sorted(filter(split_of, self.sub_folders), key=_order):
            part, split = self.sub_folders[name], split_of(name)
            if split == "test" or (part.classes(named) and part.holds_folders_alone):
                parts[split].append(name)
        return parts if parts["train"] else {}


def _may_be_class(name: str) -> bool:
    return name.lower() not in _NO_CLASSES and "mask" not in name.lower()


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
    folder = _Folder("", images)
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


def _single_container(folder: _Folder, named: Mapping[str, str]) -> _Folder | None:
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
    folder: _Folder, parts: Mapping[str, list[str]], named: Mapping[str, str]
) -> dict[str, ImageOfFolder]:
    found: dict[str, ImageOfFolder] = {}
    for name in parts["train"]:
        found |= _images_of_classes(folder.sub_folders[name].classes(named), named, "train")
    known = named or {image.label: image.label for image in found.values()}
    for name in parts["test"]:
        part = folder.sub_folders[name]
        unlabelled = ImageOfFolder("", "test")
        found |= {image: unlabelled for image in part.images if not _is_mask(image)}
        found |= _images_of_classes(part.classes(known), known, "test")
    return found


def _images_of_classes(
    classes: Mapping[str, _Folder], named: Mapping[str, str], split: str
) -> dict[str, ImageOfFolder]:
    found = {}
    for name, of_class in classes.items():
        below = _Folder(of_class.path, _without_masks(of_class))
        splits = {part: split_of(part) for part in below.sub_folders}
        is_split = "train" in splits.values() and all(splits.values()) and not below.own_images
        for image in below.images:
            part = image[len(below.path) :].partition("/")[0]
            found[image] = ImageOfFolder(named.get(name, name), splits[part] if is_split else split)
    return found


def _without_masks(folder: _Folder) -> list[str]:
    """The images of a class: those of its folder of images or, without one, all but its masks."""
    of_images = [
        image
        for name, one in folder.sub_folders.items()
        if name.lower() in IMAGE_FOLDERS
        for image in one.images
    ]
    return of_images or [i for i in folder.images if not _is_mask(i[len(folder.path) :])]


def _is_mask(path: str) -> bool:
    return any(folder.lower() in MASK_FOLDERS for folder in PurePosixPath(path).parent.parts)


def _refuse_what_is_no_class(folders: Mapping[str, _Folder], tests: list[str]) -> None:
    """Refuses folders that are parts of the data, data sets of their own, or hold each class."""
    parts = [f"{name}/" for name in folders if split_of(name) or re.fullmatch(_NUMBERED, name)]
    if parts or (tests and not folders):
        shown = [*parts, *(f"{name}/" for name in tests)]
        raise DataError(
            f"Folders of images are no classes. Received: {shorten(shown)}, without class folders "
            "in them. Describe the table of labels in a TOML file, with [layout] train = "
            f'["{shown[0]}**"] and labels = "FILE.csv".'
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
