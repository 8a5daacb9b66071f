"""The files of a zip archive, refused before one is written if any of them could do harm."""

import shutil
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

MOST_EXPANSION = 200
"""How many times its size an archive may become: images hardly grow, tables some ten times."""
NO_BOMB = 2**28
"""Bytes that harm no disk, however small the archive is that they come from."""
_CHUNK = 2**20


def check_members(archive: zipfile.ZipFile, size: int) -> list[zipfile.ZipInfo]:
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
    check_apart([member.filename for member in files])
    check_expansion(sum(member.file_size for member in files), size)
    return files


def _check_name(name: str) -> None:
    # zipfile would move such an entry inside, where it may overwrite another.
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or Path(name).drive:
        raise zipfile.BadZipFile(f"{name!r} would be outside the folder")


def check_apart(names: list[str]) -> None:
    """Refuses names that some disks cannot tell apart: by case, or by how accents are written.

    Raises:
        zipfile.BadZipFile: two files are one, or a file is also a folder.
    """
    files: dict[str, str] = {}
    for name in names:
        if (same := files.get(_folded(name))) is not None:
            raise zipfile.BadZipFile(f"{same!r} and {name!r} would be one file")
        files[_folded(name)] = name
    for name in names:
        for parent in PurePosixPath(name).parents:
            if _folded(str(parent)) in files:
                raise zipfile.BadZipFile(f"{str(parent)!r} is both a file and a folder")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", str(PurePosixPath(name))).casefold()


def check_expansion(unpacked: int, size: int) -> None:
    """Refuses a small archive that becomes absurdly large.

    Raises:
        zipfile.BadZipFile: it does.
    """
    if unpacked > max(NO_BOMB, MOST_EXPANSION * size):
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
    if not _is_written(path, member):
        path.parent.mkdir(parents=True, exist_ok=True)
        # zipfile compares the CRC-32 when it has read the last byte.
        with archive.open(member) as packed, path.open("wb") as file:
            shutil.copyfileobj(packed, file, _CHUNK)
        if path.stat().st_size != member.file_size:
            raise zipfile.BadZipFile(f"{member.filename!r} is cut off")
    advance(member.file_size)


def _is_written(path: Path, member: zipfile.ZipInfo) -> bool:
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
