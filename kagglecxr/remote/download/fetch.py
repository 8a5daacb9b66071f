"""Downloads a source's files, all as one archive or one by one, and verifies them."""

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import digest, ensure_disk_space, read_json, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.archives import FileStat, crc32, is_zip, list_archive, unpack
from kagglecxr.remote.download.download_dir import (
    DownloadDir,
    Manifest,
    download_one,
    downloaded_bytes,
    write_manifest,
)
from kagglecxr.remote.download.source import (
    SHA256SUMS,
    KaggleSource,
    check_listing,
    check_sha256,
    compare_with_listing,
    list_files,
    read_sha256sums,
)


def download_all(
    source: KaggleSource, target: DownloadDir, sums: Mapping[str, str], reporter: Reporter
) -> Manifest:
    """Downloads, verifies, unpacks and puts in place; resumes from wherever it was killed.

    `sums` are known SHA-256 of files by their names. The target's folder is replaced at the very
    end: an error leaves it as it was.
    """
    listed = _read_listing(target)
    is_old = listed is not None
    if listed is None:
        listed = list_files(source, reporter)
        ensure_disk_space(target.folder, sum(listed.values()), f"what {source} holds")
        write_json(target.listing, listed)
    if not target.archive.is_file():
        _download_archive(source, target, sum(listed.values()), reporter)
    try:
        inside = list_archive(target.archive, str(source))
        if is_old and inside is not None and compare_with_listing(listed, inside):
            # A new version may have come out since the list was made.
            listed = list_files(source, reporter)
        if inside is not None:
            check_listing(listed, inside, str(source))
            if len(inside) > len(listed):
                more = len(inside) - len(listed)
                reporter.note(f"The archive holds {more} more files than Kaggle lists; all kept.")
        files = _unpack(source, target, inside, reporter)
        if inside is None:
            check_listing(listed, files, str(source))
        _check_hashes({name: target.unpacked / name for name in files}, sums, reporter)
    except DataError:
        target.clear()
        raise
    manifest = Manifest(source.kind, source.slug, True, files)
    target.commit(manifest)
    return manifest


def _read_listing(target: DownloadDir) -> dict[str, int] | None:
    try:
        return {name: int(size) for name, size in read_json(target.listing).items()}
    except (OSError, ValueError, TypeError):
        return None


def _download_archive(
    source: KaggleSource, target: DownloadDir, unpacked: int, reporter: Reporter
) -> None:
    def check_size(size: int) -> None:
        # The list may be incomplete, and what is packed hardly shrinks.
        needed = size - downloaded_bytes(target.part) + max(unpacked, size)
        ensure_disk_space(target.folder, needed, f"{source}, its archive and what is in it")

    def call(api: Any, folder: Path) -> None:
        source.call(api, "download_files", path=str(folder), quiet=True)

    arrived = download_one(source.context(), call, target.part, check_size, reporter)
    arrived.replace(target.archive)


def _unpack(
    source: KaggleSource,
    target: DownloadDir,
    inside: Mapping[str, FileStat] | None,
    reporter: Reporter,
) -> dict[str, FileStat]:
    folder = target.unpacked
    for path in [*folder.rglob("*")]:
        # Left by an earlier try with the archive of another version.
        if inside and path.is_file() and path.relative_to(folder).as_posix() not in inside:
            path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(stat.size for stat in (inside or {}).values())
    with reporter.bar(f"Unpacking {source}", total, unit="bytes") as bar:
        return unpack(target.archive, folder, str(source), bar.advance)


def _check_hashes(files: Mapping[str, Path], sums: Mapping[str, str], reporter: Reporter) -> None:
    if sums:
        check_sha256(sums, files, "the competition's list", reporter)
    if SHA256SUMS in files:
        own = read_sha256sums(files[SHA256SUMS])
        check_sha256(own, files, f"their own {SHA256SUMS}", reporter)


def download_files(
    source: KaggleSource,
    target: DownloadDir,
    known: Manifest | None,
    expected: Mapping[str, FileStat | None],
    sums: Mapping[str, str],
    reporter: Reporter,
) -> Manifest:
    """Downloads files into the data's folder; each replaces what is there once it is verified.

    `known` is what was downloaded before, and `expected` holds the files' names with their size
    and checksum, or None where only Kaggle's list knows the size.

    Returns:
        The manifest of everything downloaded by now.
    """
    manifest = known or Manifest(source.kind, source.slug, is_whole=False)
    unknown = [name for name, stat in expected.items() if stat is None]
    listed = list_files(source, reporter, unknown) if unknown else {}
    for name, stat in expected.items():
        wanted = stat or (FileStat(listed[name]) if name in listed else None)
        arrived = _download_file(source, name, target, wanted, sums.get(name), reporter)
        files = {**manifest.files, name: arrived}
        manifest = Manifest(source.kind, source.slug, manifest.is_whole, files)
        write_manifest(target.manifest, manifest)
    return manifest


def _download_file(
    source: KaggleSource,
    name: str,
    target: DownloadDir,
    expected: FileStat | None,
    sha256: str | None,
    reporter: Reporter,
) -> FileStat:
    unfinished = target.unfinished / f"file-{digest(name)}"
    part = unfinished / "part"

    def check_size(size: int) -> None:
        ensure_disk_space(part, size + max(size, expected.size if expected else 0), name)

    def call(api: Any, folder: Path) -> None:
        source.call(api, "download_file", name, path=str(folder), quiet=True)

    arrived = download_one(source.file_context(name), call, part, check_size, reporter)
    arrived_size = arrived.stat().st_size
    try:
        file = _extract_single(arrived, name, unfinished / "unpacked", expected)
        stat = FileStat(file.stat().st_size, crc32(file))
        _check_expected(expected, stat, arrived_size, name, source)
        if sha256 is not None:
            check_sha256({name: sha256}, {name: file}, "the competition's list", reporter)
    except DataError:
        # A part is resumed, but a complete file that is wrong is not kept.
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    path = target.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    file.replace(path)
    shutil.rmtree(unfinished, ignore_errors=True)
    return stat


def _extract_single(arrived: Path, name: str, folder: Path, expected: FileStat | None) -> Path:
    """The file itself: extracted where it arrived in an archive that holds only this file."""
    wanted = PurePosixPath(name).name
    is_wrapped = arrived.name == f"{wanted}.zip"
    has_size = expected is not None and expected.size == arrived.stat().st_size
    if not is_zip(arrived) or (has_size and not is_wrapped):
        return arrived
    if not is_wrapped and not zipfile.is_zipfile(arrived):
        return arrived
    inside = list_archive(arrived, name) or {}
    # A spreadsheet is a zip archive too, but holds files of other names.
    if [PurePosixPath(file).name for file in inside] != [wanted]:
        return arrived
    (file,) = unpack(arrived, folder, name)
    return folder / file


def _check_expected(
    expected: FileStat | None, stat: FileStat, arrived: int, name: str, source: KaggleSource
) -> None:
    if expected is None or stat == expected:
        return
    if expected.crc32 is not None:
        raise DataError(
            f"Kaggle has another version of a file than the one that was downloaded. Received: "
            f"{stat.size} bytes of {name} where there were {expected.size}. Download all files "
            "again with --again."
        )
    # The listed size may be that of the archive in which the file is sent.
    if expected.size != arrived:
        check_listing({name: expected.size}, {name: stat}, str(source))
