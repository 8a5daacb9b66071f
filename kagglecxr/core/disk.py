"""Disk space, checked before files are written."""

import shutil
from pathlib import Path

from kagglecxr.core.errors import CxrError


class DiskSpaceError(CxrError, OSError):
    """The disk has less free space than a file needs."""


def ensure_disk_space(folder: Path, needed: int, what: str) -> None:
    """Checks that a disk has room for files before they are written.

    HDF5 does not survive a full disk, and a large download should not fail near its end. The folder
    need not exist yet; `needed` is in bytes, `what` is named in the error.

    Raises:
        DiskSpaceError: there is not enough space.
    """
    existing = next(
        path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir()
    )
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise DiskSpaceError(
            f"There is not enough disk space. Received: {what}, which needs {needed:,} bytes where "
            f"{free:,} are free: {existing}. Free some there, or choose a folder on another disk "
            "with --work."
        )
