"""Unpacks a downloaded archive, whole and inside one folder, or refuses it."""

import errno
import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sized
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kagglecxr.core.errors import DataError
from kagglecxr.remote.room import check_room
from kagglecxr.remote.zip_members import (
    check_apart,
    check_expansion,
    check_members,
    crc32,
    unpack_member,
)

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
# A name that this disk cannot hold.
_OF_NAMES = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)


@dataclass(frozen=True)
class FileFacts:
    """By what a file is known again.

    Attributes:
        size: bytes.
        crc32: the checksum of zip archives; None where nobody told it.
    """

    size: int
    crc32: int | None = None


def _unseen(_: int) -> None:
    """Nobody watches."""


def unpack(
    archive: Path, folder: Path, what: str, advance: Callable[[int], None] = _unseen
) -> dict[str, FileFacts]:
    """Unpacks a .tar.gz or a .zip, told apart by their first bytes.

    Args:
        archive: the file.
        folder: where to; what an earlier try has left there of a .zip is not written again.
        what: the archive's name in an error.
        advance: told of the bytes of each file that is whole.

    Returns:
        The files, by their names below `folder`.

    Raises:
        DataError: the archive is broken, empty or absurdly large, or has an entry that is neither
            a file nor a folder, that lies outside, or that is encrypted. The folder may hold a
            part of it by then.
        RoomError: the disk has no room for what is in it.
    """
    try:
        return (_unpack_zip if is_zip(archive) else _unpack_tar)(archive, folder, what, advance)
    except _BROKEN as error:
        raise broken(archive, what, error) from error
    except OSError as error:
        if error.errno not in _OF_NAMES:
            raise
        raise broken(archive, what, error) from error


def contents(archive: Path, what: str) -> dict[str, FileFacts] | None:
    """What a .zip says it holds, by names; None for a .tar.gz, which tells only when it is read.

    Raises:
        DataError: the archive must not be unpacked.
    """
    if not is_zip(archive):
        return None
    try:
        with zipfile.ZipFile(archive) as members:
            files = check_members(members, archive.stat().st_size)
    except _BROKEN as error:
        raise broken(archive, what, error) from error
    return {_clean(member.filename): FileFacts(member.file_size, member.CRC) for member in files}


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip archive does."""
    with path.open("rb") as stream:
        return stream.read(2) == b"PK"


def broken(archive: Path, what: str, error: Exception) -> DataError:
    """The sentence for an archive that cannot be unpacked, or must not."""
    return DataError(
        f"A downloaded archive cannot be unpacked. Received: {archive.stat().st_size} bytes "
        f"for {what} ({' '.join(str(error).split())[:200]}). Run the same command again to "
        "fetch it anew."
    )


def _unpack_tar(
    archive: Path, folder: Path, what: str, advance: Callable[[int], None]
) -> dict[str, FileFacts]:
    size = archive.stat().st_size
    unpacked = 0
    names: list[str] = []

    def plain(member: tarfile.TarInfo, place: str) -> tarfile.TarInfo:
        """`tarfile`'s filter for data, and no links: older Pythons' filter follows some outside."""
        nonlocal unpacked
        if not (member.isfile() or member.isdir()):
            raise tarfile.SpecialFileError(member)
        accepted = tarfile.data_filter(member, place)
        if member.isfile():
            names.append(_clean(accepted.name))
            unpacked += member.size
            check_expansion(unpacked, size)
            check_room(folder, member.size, what)
            advance(member.size)
        return accepted

    with gzip.open(archive) as stream:
        # A stream is read once from start to end, which a member list would double.
        with tarfile.open(fileobj=stream, mode="r|") as members:
            members.extractall(folder, filter=plain)
        # tarfile stops where its members end; the checksum comes after that.
        while stream.read(2**20):
            pass
    _assert_some(names)
    check_apart(names)
    return {name: FileFacts((folder / name).stat().st_size, crc32(folder / name)) for name in names}


def _unpack_zip(
    archive: Path, folder: Path, what: str, advance: Callable[[int], None]
) -> dict[str, FileFacts]:
    with zipfile.ZipFile(archive) as members:
        files = check_members(members, archive.stat().st_size)
        _assert_some(files)
        missing = [member for member in files if not (folder / member.filename).is_file()]
        check_room(folder, sum(member.file_size for member in missing), what)
        for member in members.infolist():
            if member.is_dir():
                (folder / member.filename).mkdir(parents=True, exist_ok=True)
        for member in files:
            unpack_member(members, member, folder, advance)
    return {_clean(member.filename): FileFacts(member.file_size, member.CRC) for member in files}


def _clean(name: str) -> str:
    """A name as paths below the folder are written: no `./`, no double slash."""
    return PurePosixPath(name).as_posix()


def _assert_some(files: Sized) -> None:
    if not files:
        raise EOFError("it holds no file")
