"""Whether a disk has room, asked before anything is written to it."""

import shutil
from pathlib import Path

from kagglecxr.core.errors import CxrError


class DiskSpaceError(CxrError, OSError):
    """A disk with too little room for what is about to be written."""


def ensure_disk_space(folder: Path, needed: int, what: str) -> None:
    """Refuses what the disk has no room for.

    Args:
        folder: where it would be written; it need not be there yet.
        needed: bytes.
        what: its name in the error.

    Raises:
        RoomError: there is too little room.
    """
    there = next(
        place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir()
    )
    free = shutil.disk_usage(there).free
    if needed > free:
        raise DiskSpaceError(
            f"The disk has too little room. Received: {what}, which needs {needed:,} bytes where "
            f"{free:,} are free: {there}. Make room there, or name a folder on another disk with "
            "--work."
        )
