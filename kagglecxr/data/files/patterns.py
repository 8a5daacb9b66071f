"""Which files the patterns of a layout mean."""

import re
from collections.abc import Mapping, Sequence


def match_patterns(
    files: Sequence[str], patterns: Sequence[str], folders: Mapping[str, str]
) -> dict[str, str]:
    """Returns the files that match one of the patterns, each with its label or "".

    In a pattern `{class}` is a class's folder, `*` any text without a slash and `**` any number of
    folders; `folders` has the class of each class folder, none if any folder is one.

    >>> match_patterns(["a/ill/1.png", "a/2.png"], ["a/{class}/*"], {"ill": "sick"})
    {'a/ill/1.png': 'sick'}
    """
    found: dict[str, str] = {}
    for pattern in patterns:
        expression = _to_regex(pattern, folders)
        for path in files:
            match = expression.fullmatch(path)
            if match and path not in found:
                folder = match.groupdict().get("label")
                found[path] = folders.get(folder, folder) if folder else ""
    return found


def _to_regex(pattern: str, folders: Mapping[str, str]) -> re.Pattern[str]:
    parts = re.split(r"(\{class\}|\*\*/|\*\*|\*)", pattern)
    # The longest first: where one folder's name begins with another's, both are tried.
    alternatives = "|".join(map(re.escape, sorted(folders, key=len, reverse=True))) or "[^/]+"
    translated = {"{class}": "(?P=label)", "**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    expression = "".join(translated.get(part, re.escape(part)) for part in parts)
    # The first time it stands it says the class, after that it is the same one.
    return re.compile(expression.replace("(?P=label)", f"(?P<label>{alternatives})", 1))
