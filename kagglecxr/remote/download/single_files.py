"""Downloads single files of a competition or dataset."""

import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from kagglecxr.core.disk import ensure_disk_space
from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.files import digest
from kagglecxr.remote.archives import FileStat, crc32, is_zip, list_archive, unpack
from kagglecxr.remote.download.download_dir import DownloadDir, Manifest, write_manifest
from kagglecxr.remote.download.source import DownloadContext, KaggleSource, list_files
from kagglecxr.remote.download.transfer import download_one
from kagglecxr.remote.download.verify import check_listing, check_sha256


def check_names(names: Iterable[str]) -> None:
    """Refuses a name that leads out of the data's folder.

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


def download_file(
    origin: KaggleSource,
    name: str,
    place: DownloadDir,
    expected: FileStat | None,
    sha256: str | None,
    manner: DownloadContext,
) -> FileStat:
    """Puts one file into the data's folder, replacing it only when it is whole.

    Args:
        origin: whose file.
        name: as Kaggle lists it.
        place: of the data.
        expected: what it has to be; None where nobody knows.
        sha256: its hash; None where nobody knows.
        manner: how Kaggle is asked.

    Raises:
        CxrError: it did not arrive as it should.
    """
    own = place.beside / f"file-{digest(name)}"
    part = own / "part"

    def check_size(size: int) -> None:
        ensure_disk_space(part, size + max(size, expected.size if expected else 0), name)

    arrived = download_one(
        origin.errand_for_file(name),
        lambda api, folder: origin.fetch_one(api, name, folder),
        part,
        check_size,
        manner,
    )
    arrived_size = arrived.stat().st_size
    try:
        file = _extract_single(arrived, name, own, expected)
        facts = FileStat(file.stat().st_size, crc32(file))
        _check_expected(expected, facts, arrived_size, name, origin)
        if sha256 is not None:
            check_sha256({name: sha256}, {name: file}, "the competition's list", manner.reporter)
    except DataError:
        # A part is gone on with; a whole that is wrong is not.
        shutil.rmtree(own, ignore_errors=True)
        raise
    target = place.folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)
    shutil.rmtree(own, ignore_errors=True)
    return facts


def _extract_single(arrived: Path, name: str, own: Path, expected: FileStat | None) -> Path:
    """The file itself, out of an archive that holds just this file, if it came in one."""
    wanted = PurePosixPath(name).name
    is_named_so = arrived.name == f"{wanted}.zip"
    as_it_is = expected is not None and expected.size == arrived.stat().st_size
    if not is_zip(arrived) or (as_it_is and not is_named_so):
        return arrived
    if not is_named_so and not zipfile.is_zipfile(arrived):
        return arrived
    inside = list_archive(arrived, name) or {}
    # A spreadsheet is a zip archive as well, of other names.
    if [PurePosixPath(file).name for file in inside] != [wanted]:
        return arrived
    (file,) = unpack(arrived, own / "unpacked", name)
    return own / "unpacked" / file


def _check_expected(
    expected: FileStat | None, facts: FileStat, arrived: int, name: str, origin: KaggleSource
) -> None:
    if expected is None or facts == expected:
        return
    if expected.crc32 is not None:
        raise DataError(
            f"Kaggle has another version of a file than the one that was downloaded. Received: "
            f"{facts.size} bytes of {name} where there were {expected.size}. Fetch all files anew "
            "with --again."
        )
    # The list's size may be that of what is sent.
    if expected.size != arrived:
        check_listing({name: expected.size}, {name: facts}, str(origin))


def download_files(
    origin: KaggleSource,
    place: DownloadDir,
    known: Manifest | None,
    expected: Mapping[str, FileStat | None],
    sums: Mapping[str, str],
    manner: DownloadContext,
) -> Manifest:
    """Puts files into the data's folder; each replaces what is there only when it is whole.

    Args:
        origin: whose files.
        place: of the data.
        known: what was downloaded before.
        expected: the names of the files, with what each has to be; None where Kaggle's list tells.
        sums: known SHA-256 of files by their names.
        manner: how Kaggle is asked.

    Returns:
        All that is downloaded now.

    Raises:
        CxrError: a file did not arrive as it should; those before it are there.
    """
    manifest = known or Manifest(origin.kind, origin.slug, is_whole=False)
    untold = [name for name, facts in expected.items() if facts is None]
    listed = list_files(origin, manner, untold) if untold else {}
    for name, facts in expected.items():
        wanted = facts or (FileStat(listed[name]) if name in listed else None)
        fetched = download_file(origin, name, place, wanted, sums.get(name), manner)
        files = {**manifest.files, name: fetched}
        manifest = Manifest(origin.kind, origin.slug, manifest.is_whole, files)
        write_manifest(place.manifest, manifest)
    return manifest
