"""Unpacks a downloaded archive, whole and inside one folder, or refuses it."""

import gzip
import tarfile
import zipfile
import zlib
from pathlib import Path

from kagglecxr.core.errors import DataError

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    # zipfile's for an archive that is encrypted or compressed in a way of its own
    RuntimeError,
    # one name for a file and for a folder
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
)


def unpack(archive: Path, folder: Path, what: str) -> None:
    """Unpacks a .tar.gz or a .zip, told apart by their first bytes.

    Args:
        archive: the file.
        folder: an empty one to unpack into.
        what: the archive's name in an error.

    Raises:
        DataError: the archive is broken or empty, or has an entry that is neither a file nor a
            folder or that lies outside. The folder may hold a part of it by then.
    """
    with archive.open("rb") as stream:
        is_zip = stream.read(2) == b"PK"
    try:
        (_unpack_zip if is_zip else _unpack_tar)(archive, folder)
    except _BROKEN as error:
        raise DataError(
            f"A downloaded archive cannot be unpacked. Received: {archive.stat().st_size} bytes "
            f"for {what} ({' '.join(str(error).split())[:200]}). Run the same command again to "
            "fetch it anew."
        ) from error


def _unpack_tar(archive: Path, folder: Path) -> None:
    with gzip.open(archive) as stream:
        # A stream is read once from start to end, which a member list would double.
        with tarfile.open(fileobj=stream, mode="r|") as members:
            members.extractall(folder, filter=_plain)
        # tarfile stops where its members end; the checksum comes after that.
        while stream.read(2**20):
            pass
    _assert_some(folder)


def _plain(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo:
    """`tarfile`'s filter for data, and no links: older Pythons' filter follows some outside."""
    if not (member.isfile() or member.isdir()):
        raise tarfile.SpecialFileError(member)
    return tarfile.data_filter(member, folder)


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as members:
        for name in members.namelist():
            # zipfile would move such an entry inside, where it may overwrite another.
            if not (folder / name).resolve().is_relative_to(folder.resolve()):
                raise zipfile.BadZipFile(f"{name!r} would be outside the folder")
        members.extractall(folder)
    _assert_some(folder)


def _assert_some(folder: Path) -> None:
    if not any(path.is_file() for path in folder.rglob("*")):
        raise EOFError("it holds no file")
