"""Matches the paths of a data folder with a layout's patterns."""

import re

from kagglecxr.core.errors import SettingError


def matches(
    files: list[str], patterns: list[str], split: str, folders: dict[str, str]
) -> list[tuple[str, str, str]]:
    """The files that match one of the patterns, as (path, label, split).

    Args:
        files: paths with forward slashes.
        patterns: paths with `{class}` for a class's folder and `*` for anything inside one part.
        split: train or test.
        folders: the class of each class folder.

    Raises:
        SettingError: a pattern has `{class}`, and there are no classes.
    """
    found = []
    for pattern in patterns:
        if "{class}" in pattern and not folders:
            raise SettingError(
                f"A layout with {{class}} needs the classes' names. Received: {pattern!r} and no "
                "names. List them under [classes] names."
            )
        expression = _expression(pattern, folders)
        for path in files:
            match = expression.fullmatch(path)
            if match:
                folder = match.groupdict().get("label")
                found.append((path, folders[folder] if folder else "", split))
    return found


def _expression(pattern: str, folders: dict[str, str]) -> re.Pattern[str]:
    parts = re.split(r"(\{class\}|\*)", pattern)
    either = "|".join(re.escape(folder) for folder in folders)
    translated = {"{class}": f"(?P<label>{either})", "*": "[^/]*"}
    return re.compile("".join(translated.get(part, re.escape(part)) for part in parts))
