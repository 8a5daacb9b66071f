"""From an origin to files in their place, fetching only what is not there: what `download` does."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout
from rich import filesize

from kagglecxr.core.errors import CxrError, DataError
from kagglecxr.remote.archives import FileStat
from kagglecxr.remote.download.download_dir import DownloadDir, Manifest, read_manifest
from kagglecxr.remote.download.full_archive import download_all
from kagglecxr.remote.download.single_files import check_names, download_files
from kagglecxr.remote.download.source import DownloadContext, KaggleSource

_MAX_SINGLE_FILES = 20
"""Missing files that are fetched one by one; each costs a request or two."""


class BusyError(CxrError, BlockingIOError):
    """Another process is at it."""


@dataclass(frozen=True)
class DownloadOptions:
    """What `download` is asked for.

    Attributes:
        files: some of the data by their names; all where empty.
        again: fetch what is there as well.
        sums: known SHA-256 of files by their names.
    """

    files: Sequence[str] = ()
    again: bool = False
    sums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DownloadResult:
    """Data that are in their place.

    Attributes:
        folder: where.
        manifest: what.
        fetched: how many files of it were not there before.
    """

    folder: Path
    manifest: Manifest
    fetched: int

    def __str__(self) -> str:
        amount = f"{len(self.manifest.files)} files ({filesize.decimal(self.manifest.size)})"
        if not self.fetched:
            return f"There are {amount} of {self.manifest.slug} already, whole: {self.folder}."
        got = "" if self.fetched == len(self.manifest.files) else f"{self.fetched} of "
        return f"Downloaded {got}{amount} of {self.manifest.slug}: {self.folder}."


def download_data(
    origin: KaggleSource, folder: Path, request: DownloadOptions, manner: DownloadContext
) -> DownloadResult:
    """Fetches data into a folder that is whole or absent. Killed at any moment, it can go on.

    Args:
        origin: whose data.
        folder: theirs alone; `download.json` and a hidden folder come to lie beside it.
        request: which of them, and how.
        manner: how Kaggle is asked.

    Raises:
        CxrError: each says what to do.
        OSError: of the disk, as it came.
    """
    check_names(request.files)
    place = DownloadDir(folder)
    with _locked(place):
        place.go_on()
        known = _known_manifest(place, origin, request)
        expected = _files_to_download(known, folder, request)
        if expected is None:
            manifest = download_all(origin, place, request.sums, manner)
            return DownloadResult(folder, manifest, len(manifest.files))
        manifest = download_files(origin, place, known, expected, request.sums, manner)
        if not request.files:
            place.clear()
        return DownloadResult(folder, manifest, len(expected))


def _files_to_download(
    known: Manifest | None, folder: Path, request: DownloadOptions
) -> dict[str, FileStat | None] | None:
    """The files to be fetched one by one, and what each has to be; None: all, as an archive."""
    is_new = known is None or request.again
    wrong = {} if known is None else dict.fromkeys(known.not_there(folder))
    if request.files:
        return {
            name: None
            for name in dict.fromkeys(request.files)
            if known is None or is_new or name in wrong or name not in known.files
        }
    if known is None or is_new or not known.is_whole:
        return None
    size = sum(known.files[name].size for name in wrong)
    if len(wrong) > _MAX_SINGLE_FILES or 2 * size > known.size:
        return None
    return {name: known.files[name] for name in wrong}


def holds_other_data(folder: Path) -> bool:
    """Whether somebody has put data there by hand."""
    return folder.exists() and read_manifest(DownloadDir(folder).manifest) is None


@contextlib.contextmanager
def _locked(place: DownloadDir) -> Iterator[None]:
    place.folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place.folder.with_name(f"{place.beside.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"Another process is downloading the same. Received: {place.folder}. Wait for it, or "
            "end it first."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _known_manifest(
    place: DownloadDir, origin: KaggleSource, request: DownloadOptions
) -> Manifest | None:
    """What was downloaded before.

    Raises:
        DataError: there is something else in the folder.
    """
    known = read_manifest(place.manifest)
    if known is not None and known.is_of(origin):
        return known
    if place.folder.exists() and not request.again:
        whose = "unknown" if known is None else known.slug
        raise DataError(
            f"There are data already, which are not a download of {origin}. Received: "
            f"{place.folder}, of {whose} origin. Move it away, or replace it with --again; "
            f"prepare takes it as it is: python -m kagglecxr.prepare {origin.name}"
        )
    return None
