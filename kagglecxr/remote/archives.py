"""Lists, checks and unpacks downloaded zip and tar archives safely."""

import contextlib
import errno
import gzip
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import ensure_disk_space

MAX_EXPANSION = 200
"""How many times its size an archive may become: images hardly grow, tables some ten times."""
ALWAYS_ALLOWED_SIZE = 2**28
"""Bytes that harm no disk, however small the archive is that they come from."""
_CHUNK = 2**20
_ARCHIVE_ERRORS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    # zipfile's for an encrypted archive, or an unknown compression
    RuntimeError,
    # one name for a file and for a folder
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
)
_INVALID_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)
"""What a disk says that cannot hold a file's name."""


@dataclass(frozen=True)
class FileStat:
    """A file's size in bytes and the checksum of zip archives, None where it is unknown."""

    size: int
    crc32: int | None = None


def unpack(
    archive: Path, folder: Path, what: str, advance: Callable[[int], None] = lambda _: None
) -> dict[str, FileStat]:
    """Unpacks a .tar.gz or a .zip, told apart by their first bytes.

    Files of a .zip that an earlier try has left in `folder` are not rewritten. `what` is the
    archive's name in an error; `advance` is called with the bytes of each complete file.

    Returns:
        The files, by their names below `folder`.

    Raises:
        DataError: the archive is broken, empty or absurdly large, or has an entry that is neither
            a file nor a folder, that lies outside, or that is encrypted. The folder may hold a
            part of it by then.
        DiskSpaceError: the disk has no room for its content.
    """
    with _data_errors(archive, what):
        return (_unpack_zip if is_zip(archive) else _unpack_tar)(archive, folder, what, advance)


def list_archive(archive: Path, what: str) -> dict[str, FileStat] | None:
    """Lists the files in a .zip; None for a .tar.gz, which has no list of them.

    Raises:
        DataError: the archive must not be unpacked.
    """
    if not is_zip(archive):
        return None
    with _data_errors(archive, what), zipfile.ZipFile(archive) as members:
        return _stats(_checked_members(members, archive.stat().st_size))


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip archive does."""
    with path.open("rb") as stream:
        return stream.read(2) == b"PK"


def crc32(path: Path) -> int:
    """A file's checksum as zip archives hold it."""
    value = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            value = zlib.crc32(chunk, value)
    return value


@contextlib.contextmanager
def _data_errors(archive: Path, what: str) -> Iterator[None]:
    """Turns what Python's modules raise for a bad archive into one sentence."""
    try:
        yield
    except (*_ARCHIVE_ERRORS, OSError) as error:
        if not isinstance(error, _ARCHIVE_ERRORS) and error.errno not in _INVALID_NAME:
            raise
        raise DataError(
            f"A downloaded archive cannot be unpacked. Received: {archive.stat().st_size} bytes "
            f"for {what} ({' '.join(str(error).split())[:200]}). Run the same command again to "
            "download it anew."
        ) from error


def _unpack_tar(
    archive: Path, folder: Path, what: str, advance: Callable[[int], None]
) -> dict[str, FileStat]:
    size = archive.stat().st_size
    unpacked = 0
    names: list[str] = []

    def accept(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
        """`tarfile`'s filter for data, and no links: older Pythons' filter follows some outside."""
        nonlocal unpacked
        if not (member.isfile() or member.isdir()):
            raise tarfile.SpecialFileError(member)
        accepted = tarfile.data_filter(member, path)
        if member.isfile():
            names.append(_normalized(accepted.name))
            unpacked += member.size
            _check_expansion(unpacked, size)
            ensure_disk_space(folder, member.size, what)
            advance(member.size)
        return accepted

    with gzip.open(archive) as stream:
        # A stream is read once from start to end, which a member list would double.
        with tarfile.open(fileobj=stream, mode="r|") as members:
            members.extractall(folder, filter=accept)
        # tarfile stops where its members end; the checksum comes after that.
        while stream.read(_CHUNK):
            pass
    if not names:
        raise EOFError("it holds no file")
    _check_unique(names)
    return {name: FileStat((folder / name).stat().st_size, crc32(folder / name)) for name in names}


def _unpack_zip(
    archive: Path, folder: Path, what: str, advance: Callable[[int], None]
) -> dict[str, FileStat]:
    with zipfile.ZipFile(archive) as members:
        files = _checked_members(members, archive.stat().st_size)
        if not files:
            raise EOFError("it holds no file")
        missing = [file for file in files if not (folder / file.filename).is_file()]
        ensure_disk_space(folder, sum(file.file_size for file in missing), what)
        for member in members.infolist():
            if member.is_dir():
                (folder / member.filename).mkdir(parents=True, exist_ok=True)
        for file in files:
            _unpack_member(members, file, folder / file.filename)
            advance(file.file_size)
    return _stats(files)


def _stats(files: list[zipfile.ZipInfo]) -> dict[str, FileStat]:
    return {_normalized(file.filename): FileStat(file.file_size, file.CRC) for file in files}


def _normalized(name: str) -> str:
    """A name as paths below the folder are written: no `./`, no double slash."""
    return PurePosixPath(name).as_posix()


def _checked_members(archive: zipfile.ZipFile, size: int) -> list[zipfile.ZipInfo]:
    """The files in an archive of so many bytes, which must be fit for any machine's disk."""
    for member in archive.infolist():
        name, path = member.filename, PurePosixPath(member.filename)
        # zipfile would move such an entry inside, where it may overwrite another.
        if not path.parts or path.is_absolute() or ".." in path.parts or Path(name).drive:
            raise zipfile.BadZipFile(f"{name!r} would be outside the folder")
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise zipfile.BadZipFile(f"{name!r} is neither a file nor a folder")
        if member.flag_bits & 1:
            raise zipfile.BadZipFile(f"{name!r} is encrypted")
    files = [member for member in archive.infolist() if not member.is_dir()]
    _check_unique([file.filename for file in files])
    _check_expansion(sum(file.file_size for file in files), size)
    return files


def _check_unique(names: list[str]) -> None:
    """Refuses names that some disks cannot tell apart: by case, or by how accents are written."""

    def folded(name: str) -> str:
        return unicodedata.normalize("NFC", _normalized(name)).casefold()

    files: dict[str, str] = {}
    for name in names:
        if (same := files.get(folded(name))) is not None:
            raise zipfile.BadZipFile(f"{same!r} and {name!r} would be one file")
        files[folded(name)] = name
    for name in names:
        for parent in PurePosixPath(name).parents:
            if folded(str(parent)) in files:
                raise zipfile.BadZipFile(f"{str(parent)!r} is both a file and a folder")


def _check_expansion(unpacked: int, size: int) -> None:
    if unpacked > max(ALWAYS_ALLOWED_SIZE, MAX_EXPANSION * size):
        raise zipfile.BadZipFile(f"{size} bytes that would become {unpacked}")


def _unpack_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    """Writes one file, unless an earlier try has written the same."""
    if path.is_file() and (path.stat().st_size, crc32(path)) == (member.file_size, member.CRC):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # zipfile compares the CRC-32 when it has read the last byte.
    with archive.open(member) as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file, _CHUNK)
    if path.stat().st_size != member.file_size:
        raise zipfile.BadZipFile(f"{member.filename!r} is cut off")
