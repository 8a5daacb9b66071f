"""What lines and answers of a sample submission say of its form."""

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


def joined_by(answers: Sequence[str], targets: Sequence[str], none: str) -> tuple[str, str] | None:
    """Returns what joins findings in the answers of a sample submission, and what none is called.

    A single word that is no finding is what none is called; `none` is where there is no such word.

    >>> joined_by(["Edema Mass", "-"], ["Edema", "Mass"], "No Finding")
    (' ', '-')
    >>> joined_by(["0.5"], ["Edema"], "No Finding") is None
    True
    """
    given = {answer for answer in answers if answer}
    for separator in _SEPARATORS:
        if any(separator in target for target in targets):
            continue
        parts = {one: {part.strip() for part in one.split(separator)} for one in given}
        others = {one for one, names in parts.items() if not names <= set(targets)}
        are_several = any(len(names) > 1 for one, names in parts.items() if one not in others)
        if are_several and len(others) <= 1:
            return separator, next(iter(others), none)
    return (SEPARATOR, none) if given <= {*targets, none} else None


def split_id(one: str, targets: Sequence[str]) -> tuple[str, str]:
    """Returns the image and the target of a line's id; no target if none stands behind it."""
    for target in sorted(targets, key=len, reverse=True):
        if one.endswith(f"_{target}"):
            return one.removesuffix(f"_{target}"), target
    return one, ""
