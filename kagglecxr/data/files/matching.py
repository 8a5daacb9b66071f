"""Which image an id or a path of a table means."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from kagglecxr.data.images.image import SUFFIXES


@dataclass(frozen=True)
class PathMatches:
    """What written ids or paths mean.

    Attributes:
        image_of: the image of each that means one.
        ambiguous: the images that each of the others may mean.
    """

    image_of: dict[str, str] = field(default_factory=dict)
    ambiguous: dict[str, list[str]] = field(default_factory=dict)


def match_paths(
    written: Sequence[str], images: Sequence[str], *, guess: bool = True
) -> PathMatches:
    r"""Finds the images that ids or paths mean, as they are written in tables.

    Back slashes, a leading "./", folders above the data folder and missing folders are allowed.
    What is not found so is compared without an image's suffix; what is left, with what is left,
    without regard to capitals, without leading zeros, which spreadsheets lose, and by its name
    alone, where that keeps all of them apart.

    Args:
        written: as in a table, in any order; repeated ones count once.
        images: paths relative to the data folder.
        guess: whether what is left is compared as described; paths of masks are not.

    >>> match_paths([".\\ill\\1.png", "3"], ["ill/1.png", "x/003.jpg"]).image_of
    {'.\\ill\\1.png': 'ill/1.png', '3': 'x/003.jpg'}
    """
    found = PathMatches()
    meant_by: defaultdict[str, list[str]] = defaultdict(list)
    for compared, is_guess in _FORMS if guess else _FORMS[:2]:
        known = found.image_of.keys() | found.ambiguous.keys()
        left = [one for one in dict.fromkeys(written) if one not in known]
        free = [image for image in images if not (is_guess and image in meant_by)]
        if not left or not free:
            break
        candidates = _candidates(left, free, compared)
        times = Counter(meant[0] for meant in candidates.values() if len(meant) == 1)
        for one, (image, *others) in candidates.items():
            if others:
                if not is_guess:
                    found.ambiguous[one] = [image, *others]
                continue
            # Two may mean one image if it is the same path, but for its suffix.
            form = compared(_plain(one))
            is_same = all(compared(_plain(other)) == form for other in meant_by[image])
            if one == image or (times[image] == 1 and is_same):
                found.image_of[one] = image
                meant_by[image].append(one)
    return found


def _loose_name(path: str) -> str:
    """A path's name without suffix, capitals and leading zeros: what is alike may match."""
    return _without_zeros(_plain(path)).rpartition("/")[2]


def images_named(table: pd.DataFrame, images: Sequence[str]) -> dict[str, int]:
    """Returns how many images each column of a table may name."""
    names = set(map(_loose_name, images))
    return {c: len(names.intersection(map(_loose_name, table[c]))) for c in map(str, table)}


def column_of_ids(table: pd.DataFrame, images: Sequence[str]) -> str:
    """Returns the column of a table that names most of the images; the first if none does."""
    counts = images_named(table, images)
    return max(counts, key=lambda column: counts[column])


def _candidates(
    written: Sequence[str], images: Sequence[str], compared: Callable[[str], str]
) -> dict[str, list[str]]:
    """The images that each written path may mean: the longest ends that are equal."""
    whole: defaultdict[str, list[str]] = defaultdict(list)
    by_end: defaultdict[str, list[str]] = defaultdict(list)
    for image in images:
        path = compared(image)
        whole[path].append(image)
        for end in _ends(path):
            by_end[end].append(image)
    found = {}
    for one in written:
        path = compared(_plain(one))
        above = next((whole[end] for end in _ends(path) if end in whole), [])
        if meant := above or by_end.get(path, []):
            found[one] = meant
    return found


def _plain(path: str) -> str:
    parts = path.strip().replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _ends(path: str) -> list[str]:
    """A path and what is left of it without its first folders, the longest first."""
    parts = path.split("/")
    return ["/".join(parts[first:]) for first in range(len(parts))]


def _without_suffix(path: str) -> str:
    stem, point, suffix = path.rpartition(".")
    return stem if f"{point}{suffix.lower()}" in SUFFIXES else path


def _without_capitals(path: str) -> str:
    return _without_suffix(path).casefold()


def _without_zeros(path: str) -> str:
    """Numbers as spreadsheets and pandas write them: 7 or 7.0 in place of 007."""
    above, slash, name = _without_capitals(path).rpartition("/")
    number = re.fullmatch(r"0*([0-9]+?)(\.0)?", name)
    return f"{above}{slash}{number[1] if number else name}"


def _name_alone(path: str) -> str:
    return _without_capitals(path).rpartition("/")[2]


_FORMS: tuple[tuple[Callable[[str], str], bool], ...] = (
    (str, False),
    (_without_suffix, False),
    (_without_capitals, True),
    (_without_zeros, True),
    (_name_alone, True),
)
"""How paths are compared, one after the other, and whether that is a guess about what is left."""
