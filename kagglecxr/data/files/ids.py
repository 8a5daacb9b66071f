"""Which image an id of a table means."""

from collections import Counter
from collections.abc import Sequence


def match_ids(names: Sequence[str], ids: Sequence[str]) -> dict[str, str]:
    """Returns the id of each image name that has one; both are without suffix and folder.

    Where no name is an id as it stands, numbers are compared without their leading zeros, which
    pandas and spreadsheets lose, if that leaves them different from each other.

    >>> match_ids(["a", "b"], ["b", "c"]), match_ids(["007", "010"], ["7", "10", "11"])
    ({'b': 'b'}, {'007': '7', '010': '10'})
    """
    known = set(ids)
    same = {name: name for name in names if name in known}
    if same:
        return same
    id_of = {_without_zeros(one): one for one in ids}
    times = Counter(_without_zeros(name) for name in set(names))
    if len(id_of) < len(known) or any(count > 1 for count in times.values()):
        return {}
    return {n: id_of[_without_zeros(n)] for n in names if _without_zeros(n) in id_of}


def _without_zeros(name: str) -> str:
    return str(int(name)) if name.isascii() and name.isdigit() else name
