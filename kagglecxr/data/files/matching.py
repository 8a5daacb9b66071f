"""Which image an id or a path of a table means."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath


def match_ids(names: Sequence[str], ids: Sequence[str]) -> dict[str, str]:
    """Returns the id of each image name that has one; both are without suffix and folder.

    Where no name is an id as it stands, numbers are compared without their leading zeros, which
    pandas and spreadsheets lose, and then names without regard to capitals, each if that leaves
    them different from each other.

    >>> match_ids(["a", "b"], ["b", "c"]), match_ids(["007", "010"], ["7", "10", "11"])
    ({'b': 'b'}, {'007': '7', '010': '10'})
    >>> match_ids(["A1"], ["a1"]), match_ids(["A1", "a1"], ["A2", "a2"])
    ({'A1': 'a1'}, {})
    """
    for plain in (str, _without_zeros, str.casefold):
        id_of = {plain(one): one for one in ids}
        names_of = Counter(plain(name) for name in set(names))
        found = {name: id_of[plain(name)] for name in names if plain(name) in id_of}
        is_clear = len(id_of) == len(set(ids)) and not any(n > 1 for n in names_of.values())
        if found and is_clear:
            return found
    return {}


def _without_zeros(name: str) -> str:
    return str(int(name)) if name.isascii() and name.isdigit() else name


def match_paths(written: Sequence[str], images: Sequence[str]) -> list[str]:
    r"""Returns the image that each written path means, or "" where it is none or ambiguous.

    Back slashes, a leading "./", folders above the data folder and missing folders are allowed, as
    long as no two lines then mean one image.

    >>> match_paths([".\\ill\\1.png", "/data/well/2.png", "1.png"], ["ill/1.png", "well/2.png"])
    ['ill/1.png', 'well/2.png', 'ill/1.png']
    """
    images_by_end: dict[str, list[str]] = {}
    for image in images:
        for end in _ends(image):
            images_by_end.setdefault(end, []).append(image)
    known = set(images)

    def meant(path: str) -> str:
        whole = [end for end in _ends(path) if end in known]
        found = whole[:1] or images_by_end.get(path, [])
        return found[0] if len(found) == 1 else ""

    plain = [PurePosixPath(path.strip().replace("\\", "/")).as_posix() for path in written]
    image_of = {path: meant(path) for path in plain}
    lines = Counter(image_of.values())
    return [
        image_of[path] if image_of[path] == path or lines[image_of[path]] == 1 else ""
        for path in plain
    ]


def _ends(path: str) -> list[str]:
    """A path and what is left of it without its first folders, the longest first."""
    parts = PurePosixPath(path).parts
    return ["/".join(parts[first:]) for first in range(len(parts))]
