"""Lists, checks and unpacks downloaded zip and tar archives safely."""

import errno
import gzip
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Sized
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kagglecxr.core.disk import ensure_disk_space
from kagglecxr.core.errors import DataError

_ARCHIVE_ERRORS = (
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
_NAME_ERRNOS = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)


@dataclass(frozen=True)
class FileStat:
    """By what a file is known again.

    Attributes:
        size: bytes.
        crc32: the checksum of zip archives; None where nobody told it.
    """

    size: int
    crc32: int | None = None


def _no_progress(_: int) -> None:
    """Nobody watches."""


def unpack(
    archive: Path, folder: Path, what: str, advance: Callable[[int], None] = _no_progress
) -> dict[str, FileStat]:
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
        DiskSpaceError: the disk has no room for what is in it.
    """
    try:
        return (_unpack_zip if is_zip(archive) else _unpack_tar)(archive, folder, what, advance)
    except _ARCHIVE_ERRORS as error:
        raise archive_error(archive, what, error) from error
    except OSError as error:
        if error.errno not in _NAME_ERRNOS:
            raise
        raise archive_error(archive, what, error) from error


def list_archive(archive: Path, what: str) -> dict[str, FileStat] | None:
    """What a .zip says it holds, by names; None for a .tar.gz, which tells only when it is read.

    Raises:
        DataError: the archive must not be unpacked.
    """
    if not is_zip(archive):
        return None
    try:
        with zipfile.ZipFile(archive) as members:
            files = check_zip(members, archive.stat().st_size)
    except _ARCHIVE_ERRORS as error:
        raise archive_error(archive, what, error) from error
    return {
        _normalized(member.filename): FileStat(member.file_size, member.CRC) for member in files
    }


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip archive does."""
    with path.open("rb") as stream:
        return stream.read(2) == b"PK"


def archive_error(archive: Path, what: str, error: Exception) -> DataError:
    """The sentence for an archive that cannot be unpacked, or must not."""
    return DataError(
        f"A downloaded archive cannot be unpacked. Received: {archive.stat().st_size} bytes "
        f"for {what} ({' '.join(str(error).split())[:200]}). Run the same command again to "
        "fetch it anew."
    )


def _unpack_tar(
    archive: Path, folder: Path, what: str, advance: Callable[[int], None]
) -> dict[str, FileStat]:
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
            names.append(_normalized(accepted.name))
            unpacked += member.size
            check_expansion(unpacked, size)
            ensure_disk_space(folder, member.size, what)
            advance(member.size)
        return accepted

    with gzip.open(archive) as stream:
        # A stream is read once from start to end, which a member list would double.
        with tarfile.open(fileobj=stream, mode="r|") as members:
            members.extractall(folder, filter=plain)
        # tarfile stops where its members end; the checksum comes after that.
        while stream.read(2**20):
            pass
    _check_not_empty(names)
    check_unique_names(names)
    return {name: FileStat((folder / name).stat().st_size, crc32(folder / name)) for name in names}


def _unpack_zip(
    archive: Path, folder: Path, what: str, advance: Callable[[int], None]
) -> dict[str, FileStat]:
    with zipfile.ZipFile(archive) as members:
        files = check_zip(members, archive.stat().st_size)
        _check_not_empty(files)
        missing = [member for member in files if not (folder / member.filename).is_file()]
        ensure_disk_space(folder, sum(member.file_size for member in missing), what)
        for member in members.infolist():
            if member.is_dir():
                (folder / member.filename).mkdir(parents=True, exist_ok=True)
        for member in files:
            unpack_member(members, member, folder, advance)
    return {
        _normalized(member.filename): FileStat(member.file_size, member.CRC) for member in files
    }


def _normalized(name: str) -> str:
    """A name as paths below the folder are written: no `./`, no double slash."""
    return PurePosixPath(name).as_posix()


def _check_not_empty(files: Sized) -> None:
    if not files:
        raise EOFError("it holds no file")


MAX_EXPANSION = 200
"""How many times its size an archive may become: images hardly grow, tables some ten times."""
ALWAYS_ALLOWED_SIZE = 2**28
"""Bytes that harm no disk, however small the archive is that they come from."""
_CHUNK = 2**20


def check_zip(archive: zipfile.ZipFile, size: int) -> list[zipfile.ZipInfo]:
    """The files in an archive, all of them fit to be unpacked into one folder on any machine.

    Args:
        archive: as it is; nothing is read but its directory.
        size: its bytes.

    Raises:
        zipfile.BadZipFile: an entry leads outside, is no plain file, is encrypted or shares its
            name with another one, or all of them are absurdly much.
    """
    files = [member for member in archive.infolist() if not member.is_dir()]
    for member in archive.infolist():
        _check_name(member.filename)
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise zipfile.BadZipFile(f"{member.filename!r} is neither a file nor a folder")
        if member.flag_bits & 1:
            raise zipfile.BadZipFile(f"{member.filename!r} is encrypted")
    check_unique_names([member.filename for member in files])
    check_expansion(sum(member.file_size for member in files), size)
    return files


def _check_name(name: str) -> None:
    # zipfile would move such an entry inside, where it may overwrite another.
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or Path(name).drive:
        raise zipfile.BadZipFile(f"{name!r} would be outside the folder")


def check_unique_names(names: list[str]) -> None:
    """Refuses names that some disks cannot tell apart: by case, or by how accents are written.

    Raises:
        zipfile.BadZipFile: two files are one, or a file is also a folder.
    """
    files: dict[str, str] = {}
    for name in names:
        if (same := files.get(_casefolded(name))) is not None:
            raise zipfile.BadZipFile(f"{same!r} and {name!r} would be one file")
        files[_casefolded(name)] = name
    for name in names:
        for parent in PurePosixPath(name).parents:
            if _casefolded(str(parent)) in files:
                raise zipfile.BadZipFile(f"{str(parent)!r} is both a file and a folder")


def _casefolded(name: str) -> str:
    return unicodedata.normalize("NFC", str(PurePosixPath(name))).casefold()


def check_expansion(unpacked: int, size: int) -> None:
    """Refuses a small archive that becomes absurdly large.

    Raises:
        zipfile.BadZipFile: it does.
    """
    if unpacked > max(ALWAYS_ALLOWED_SIZE, MAX_EXPANSION * size):
        raise zipfile.BadZipFile(f"{size} bytes that would become {unpacked}")


def unpack_member(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    folder: Path,
    advance: Callable[[int], None],
) -> None:
    """Writes one file, unless an earlier try has written it: told by its size and its CRC-32.

    Raises:
        zipfile.BadZipFile: its bytes are not those that were packed.
    """
    path = folder / member.filename
    if not _is_unpacked(path, member):
        path.parent.mkdir(parents=True, exist_ok=True)
        # zipfile compares the CRC-32 when it has read the last byte.
        with archive.open(member) as packed, path.open("wb") as file:
            shutil.copyfileobj(packed, file, _CHUNK)
        if path.stat().st_size != member.file_size:
            raise zipfile.BadZipFile(f"{member.filename!r} is cut off")
    advance(member.file_size)


def _is_unpacked(path: Path, member: zipfile.ZipInfo) -> bool:
    if not path.is_file() or path.stat().st_size != member.file_size:
        return False
    return crc32(path) == member.CRC


def crc32(path: Path) -> int:
    """A file's checksum, as zip archives keep it."""
    value = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            value = zlib.crc32(chunk, value)
    return value
