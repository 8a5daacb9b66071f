"""A data folder as a tree of folders by the images below them, and what their names say."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_PARTS = (
    ("train", r"train|training"), ("train", r"val|valid|validation|dev"), ("test", r"test|testing"),
)  # fmt: skip
"""The split of folders that are parts of the data, in order; folds are made anew of the first."""

IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "img"})
MASK_FOLDERS = frozenset({"masks", "mask", "lung masks", "lung_masks", "infection masks"})
"""Folders beside or among the images of a class, in lower case."""

NUMBERED = r"(?i)(images?|imgs?|part|batch)[_\- ]?\d+"
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
class Folder:
    """A folder by the images below it; its path ends with a slash, or is "" for the data folder."""

    path: str
    images: Sequence[str]

    @functools.cached_property
    def sub_folders(self) -> dict[str, "Folder"]:
        """The folders in it that hold images, by their names."""
        below: dict[str, list[str]] = {}
        for image in self.images:
            name, slash, _ = image[len(self.path) :].partition("/")
            if slash:
                below.setdefault(name, []).append(image)
        return {name: Folder(f"{self.path}{name}/", images) for name, images in below.items()}

    @property
    def own_images(self) -> list[str]:
        """The images that lie in it, not in one of its folders."""
        return [image for image in self.images if "/" not in image[len(self.path) :]]

    @property
    def holds_folders_alone(self) -> bool:
        """Whether it holds neither images nor a folder that is called so."""
        has_images = any(name.lower() in IMAGE_FOLDERS for name in self.sub_folders)
        return not self.own_images and not has_images

    def classes(self, named: Mapping[str, str]) -> dict[str, "Folder"]:
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


def is_mask(path: str) -> bool:
    """Whether a path leads into a folder of masks."""
    return any(folder.lower() in MASK_FOLDERS for folder in PurePosixPath(path).parent.parts)
