"""What lines and answers of a sample submission say of its form."""

import re
from collections import Counter
from collections.abc import Sequence

from kagglecxr.core.findings import SEPARATOR

_SEPARATORS = (SEPARATOR, ";", ",", " ")
"""What may stand between findings in a cell of a sample submission."""


def is_line_a_class(ids: Sequence[str], targets: Sequence[str]) -> bool:
    """Whether the ids of a sample submission are those of images, each with each target behind it.

    >>> is_line_a_class(["a_ill", "a_well"], ["ill", "well"]), is_line_a_class(["a"], ["ill"])
    (True, False)
    """
    parts = [split_id(one, targets) for one in ids]
    images = dict.fromkeys(image for image, _ in parts)
    wanted = {(image, target) for image in images for target in targets}
    return len(targets) > 1 and len(parts) == len(wanted) > 0 and set(parts) == wanted


def joined_by(
    answers: Sequence[str],
    targets: Sequence[str],
    none: str,
    *,
    is_told: bool = False,
    separators: Sequence[str] = _SEPARATORS,
) -> tuple[str, str] | None:
    """Returns what joins findings in the answers of a sample submission, and what none is called.

    Blanks around a separator belong to it.

    Args:
        answers: the cells.
        targets: the findings.
        none: what none is called where the answers do not say it: where no single one of them, or
            the empty one where others join some, holds no finding.
        is_told: whether it is called that in any case.
        separators: what may join them.

    >>> joined_by(["Edema, Mass", "-"], ["Edema", "Mass"], "No Finding")
    (', ', '-')
    >>> joined_by(["0.5", "0.7"], ["Edema"], "No Finding") is None
    True
    """
    known, given = set(targets), sorted({answer for answer in answers if answer != none})
    for separator in separators:
        parts = {one: {part.strip() for part in one.split(separator)} for one in given if one}
        others = [one for one, names in parts.items() if not names <= known]
        joined = [one for one, names in parts.items() if len(names) > 1 and one not in others]
        is_in_name = any(separator in target for target in targets)
        if is_in_name or not joined or any(known & parts[one] for one in others):
            continue
        others += [""] if "" in given and not others and none not in answers else []
        if len(others) <= (0 if is_told else 1):
            found = re.findall(rf" *{re.escape(separator)} *", " ".join(joined))
            between = separator if separator == " " else Counter(found).most_common(1)[0][0]
            return between, next(iter(others), none)
    others = [one for one in given if one and one not in known]
    if len(others) == 1 and len(given) > 1 and not is_told:
        return separators[0], others[0]
    return None if others else (separators[0], none)


def split_id(one: str, targets: Sequence[str]) -> tuple[str, str]:
    """Returns the image and the target of a line's id; no target if none stands behind it."""
    for target in sorted(targets, key=len, reverse=True):
        if one.endswith(f"_{target}"):
            return one.removesuffix(f"_{target}"), target
    return one, ""
