"""What a workspace was prepared from: other images are never trained on under its name."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import digest


def content_digest(root: Path, paths: Sequence[str]) -> str:
    """Identifies images by path below a folder and size in bytes; "" if one is absent."""
    try:
        return digest([(path, (root / path).stat().st_size) for path in paths])
    except OSError:
        return ""


def check_content(content: str, paths: Sequence[str], prepared: Path, given: Path) -> None:
    """Checks that a folder holds the images that a workspace was prepared from elsewhere.

    Args:
        content: their digest.
        paths: their paths, relative to the folder.
        prepared: the folder they were prepared from.
        given: the folder the user names now; a moved one is as good.

    Raises:
        DataError: it holds others.
    """
    if given != prepared and content_digest(given, paths) != content:
        work = shlex.quote(f"work/{given.parent.name}-{given.name}")
        raise DataError(
            f"The workspace was prepared from other images. Received: {given}, prepared from "
            f"{prepared}. Give each folder a workspace of its own, for example with "
            f"--work {work}"
        )
