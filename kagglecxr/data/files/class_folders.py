"""Which folders of a data folder without a layout are classes, parts of the data, or neither."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from kagglecxr.core.errors import DataError, shorten

PARTS = {
    "train": "train", "training": "train",
    "val": "train", "valid": "train", "validation": "train", "dev": "train",
    "test": "test", "testing": "test",
}  # fmt: skip
"""The split of folders that are parts of the data; folds are made anew of train and val."""

IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "img"})
MASK_FOLDERS = frozenset({"masks", "mask", "lung masks", "lung_masks", "infection masks"})
"""Folders beside or among the images of a class, in lower case."""

_NO_CLASSES = MASK_FOLDERS | {
    "results", "result", "plots", "figures", "output", "outputs", "notebooks", "work",
    "submissions", "exports", "runs", "logs", "models", "checkpoints", "docs", "reports",
}  # fmt: skip
"""Folders that hold no images of a class, unless the competition names them."""


@dataclass(frozen=True)
class FoldersFound:
    """What the folders of a data folder are taken for.

    Attributes:
        labels: the label of each image, "" if unknown.
        splits: the split of each image, train or test.
        inside: the folder that holds the class folders or parts, "" for the data folder itself.
        parts: the names of the parts, in each split; none where folders are classes at once.
        sub_folders: all folders in it that hold images.
        left_out: those of them, and images, that are neither classes nor parts.
    """

    labels: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    inside: str = ""
    parts: dict[str, list[str]] = field(default_factory=dict)
    sub_folders: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


Tree = dict[str, list[str]]
"""The images below each sub-folder of a folder; "" has those that lie in the folder itself."""


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
    inside = ""
    tree = _tree(images, inside)
    while (single := _single_container(tree, inside, named)) is not None:
        inside = f"{inside}{single}/"
        tree = _tree(tree[single], inside)
    found = FoldersFound(
        inside=inside, parts=_parts(tree, inside, named), sub_folders=[n for n in tree if n]
    )
    used: set[str] = set()
    for split in ("train", "test"):
        for part in found.parts.get(split, []):
            used.add(part)
            known = named or {label: label for label in found.labels.values()}
            below = _tree(tree[part], f"{inside}{part}/")
            _add_classes(
                below, f"{inside}{part}/", known if split == "test" else named, split, found
            )
            if split == "test":
                for path in tree[part]:
                    if path not in found.labels and not _is_mask(path):
                        found.labels[path], found.splits[path] = "", "test"
    if not found.parts:
        _refuse_parts_without_classes(tree, inside, named)
        _refuse_two_readings(tree, inside, named)
        used.update(_add_classes(tree, inside, named, "train", found))
    found.left_out.extend(sorted(f"{name}/" for name in tree if name and name not in used))
    if tree.get(""):
        found.left_out.append(f"{len(tree[''])} images in no folder")
    return found


def _tree(images: Sequence[str], inside: str) -> Tree:
    tree: Tree = {}
    for path in images:
        first, slash, _ = path[len(inside) :].partition("/")
        tree.setdefault(first if slash else "", []).append(path)
    return tree


def _classes(tree: Tree, named: Mapping[str, str]) -> list[str]:
    """The sub-folders that are, or may be, classes."""
    if named:
        return [name for name in tree if name in named]
    return [name for name in tree if name and name.lower() not in _NO_CLASSES]


def _holds_folders_only(tree: Tree) -> bool:
    return "" not in tree and not any(name.lower() in IMAGE_FOLDERS for name in tree)


def _single_container(tree: Tree, inside: str, named: Mapping[str, str]) -> str | None:
    """The only sub-folder that holds class folders or parts, where no sub-folder is a class."""
    if (named and _classes(tree, named)) or _parts(tree, inside, named):
        return None
    below = {name: _tree(tree[name], f"{inside}{name}/") for name in _classes(tree, {})}
    if not named and len(below) > 1:
        return None
    holders = [
        name
        for name, one in below.items()
        if _holds_folders_only(one)
        and (
            len(_classes(one, named)) > (0 if named else 1)
            or _parts(one, f"{inside}{name}/", named)
            or _single_container(one, f"{inside}{name}/", named) is not None
        )
    ]
    return holders[0] if len(holders) == 1 else None


def _parts(tree: Tree, inside: str, named: Mapping[str, str]) -> dict[str, list[str]]:
    """The parts of each split, if the sub-folders are parts of the data that hold classes."""
    if named and _classes(tree, named):
        return {}
    parts: dict[str, list[str]] = {}
    for name in sorted(
        tree, key=lambda name: list(PARTS).index(name.lower()) if name.lower() in PARTS else -1
    ):
        if name.lower() not in PARTS:
            continue
        split = PARTS[name.lower()]
        below = _tree(tree[name], f"{inside}{name}/")
        if split == "test" or (_classes(below, named) and _holds_folders_only(below)):
            parts.setdefault(split, []).append(name)
    return parts if "train" in parts else {}


def _add_classes(
    tree: Tree, inside: str, named: Mapping[str, str], split: str, found: FoldersFound
) -> list[str]:
    """Adds the images of the class folders among sub-folders; returns these folders."""
    classes = _classes(tree, named)
    for name in classes:
        below = _tree(_without_masks(tree[name], f"{inside}{name}/"), f"{inside}{name}/")
        splits = {part: PARTS.get(part.lower(), "") for part in below}
        is_split = "train" in splits.values() and all(splits.values())
        for part, paths in below.items():
            for path in paths:
                found.labels[path] = named.get(name, name)
                found.splits[path] = splits[part] if is_split else split
    return classes


def _without_masks(paths: Sequence[str], inside: str) -> list[str]:
    """The images of a class: those of its folder of images or, without one, all but its masks."""
    own = [path for path in paths if path[len(inside) :].split("/")[0].lower() in IMAGE_FOLDERS]
    return own or [path for path in paths if not _is_mask(path[len(inside) :])]


def _is_mask(path: str) -> bool:
    return any(folder.lower() in MASK_FOLDERS for folder in PurePosixPath(path).parent.parts)


def _refuse_parts_without_classes(tree: Tree, inside: str, named: Mapping[str, str]) -> None:
    parts = [f"{inside}{name}/" for name in _classes(tree, named) if name.lower() in PARTS]
    if parts and not named:
        raise DataError(
            f"Folders of a training and a test set are no classes. Received: {shorten(parts)}, "
            "without class folders in them. Describe the table of labels in a TOML file, with "
            f'[layout] train = ["{parts[0]}**"] and labels = "FILE.csv".'
        )


def _refuse_two_readings(tree: Tree, inside: str, named: Mapping[str, str]) -> None:
    below = {name: _tree(tree[name], f"{inside}{name}/") for name in _classes(tree, named)}
    inner = {tuple(sorted(_classes(one, {}))) for one in below.values()}
    if (
        named
        or len(below) < 2
        or len(inner) > 1
        or not all(map(_holds_folders_only, below.values()))
    ):
        return
    (classes,) = inner
    if len(classes) > 1 and not all(name.lower() in PARTS for name in classes):
        raise DataError(
            f"It is not clear which folders are classes. Received: {shorten(list(below))}, each "
            f"with {shorten(list(classes))}. Name one of them, or describe the layout in a TOML "
            'file, for example with [layout] train = ["*/{class}/*"].'
        )
