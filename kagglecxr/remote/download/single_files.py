"""Downloads single files, which Kaggle sends as they are or in an archive of their own."""

import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from kagglecxr.core.disk import ensure_disk_space
from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.files import digest
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.archives import FileStat, crc32, is_zip, list_archive, unpack
from kagglecxr.remote.download.download_dir import DownloadDir, Manifest, write_manifest
from kagglecxr.remote.download.source import KaggleSource, list_files
from kagglecxr.remote.download.transfer import download_one
from kagglecxr.remote.download.verify import check_listing, check_sha256


def check_names(names: Iterable[str]) -> None:
    """Refuses names that lead out of the data's folder.

    Raises:
        SettingError: one does.
    """
    for name in names:
        path = PurePosixPath(name)
        if not path.parts or path.is_absolute() or ".." in path.parts:
            raise SettingError(
                f"A file to download is named by its path in the data. Received: {name!r}. Name "
                "it as Kaggle lists it."
            )


def download_files(
    source: KaggleSource,
    target: DownloadDir,
    known: Manifest | None,
    expected: Mapping[str, FileStat | None],
    sums: Mapping[str, str],
    reporter: Reporter,
) -> Manifest:
    """Downloads files into the data's folder; each replaces what is there once it is verified.

    Args:
        source: whose files.
        target: of the data.
        known: what was downloaded before.
        expected: the files' names with their size and checksum; None where only Kaggle's list
            knows the size.
        sums: known SHA-256 of files by their names.
        reporter: shows the progress.

    Returns:
        The manifest of everything downloaded by now.

    Raises:
        CxrError: a file did not arrive as it should; those before it are in place.
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

    arrived = download_one(
        source.file_context(name),
        lambda api, folder: source.download_one(api, name, folder),
        part,
        check_size,
        reporter,
    )
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
