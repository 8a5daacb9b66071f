"""Downloads what is missing of a source's data into a folder: the verb `download`."""

import contextlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout
from rich import filesize

from kagglecxr.core.errors import CxrError, DataError, SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.archives import FileStat
from kagglecxr.remote.download.download_dir import DownloadDir, Manifest, read_manifest
from kagglecxr.remote.download.fetch import download_all, download_files
from kagglecxr.remote.download.source import KaggleSource

_MAX_SINGLE_FILES = 20
"""Up to so many missing files are downloaded one by one; each costs a request or two."""


class BusyError(CxrError, BlockingIOError):
    """Another process is downloading into the same folder."""


@dataclass(frozen=True)
class DownloadResult:
    """Complete data, of which `downloaded` files were not there before."""

    folder: Path
    manifest: Manifest
    downloaded: int

    def __str__(self) -> str:
        amount = f"{len(self.manifest.files)} files ({filesize.decimal(self.manifest.size)})"
        if not self.downloaded:
            return f"There are {amount} of {self.manifest.slug} already, complete: {self.folder}."
        part = "" if self.downloaded == len(self.manifest.files) else f"{self.downloaded} of "
        return f"Downloaded {part}{amount} of {self.manifest.slug}: {self.folder}."


def download_data(
    source: KaggleSource,
    folder: Path,
    reporter: Reporter,
    *,
    files: Sequence[str] = (),
    again: bool = False,
    sums: Mapping[str, str] | None = None,
) -> DownloadResult:
    """Downloads data into a folder that is complete or absent; killed at any time, it resumes.

    `folder` is for these data alone; `download.json` and a hidden folder are put next to it.
    `files` defaults to all, and with `again` what is there is downloaded anew. `sums` are known
    SHA-256 of files by their names.

    Raises:
        CxrError: the data cannot be had, or the folder holds others.
        OSError: an error of the disk, unchanged.
    """
    for name in files:
        path = PurePosixPath(name)
        if not path.parts or path.is_absolute() or ".." in path.parts:
            raise SettingError(
                f"A file to download is named by its path in the data. Received: {name!r}. Name "
                "it as Kaggle lists it."
            )
    target = DownloadDir(folder)
    with _locked(target):
        target.finish_commit()
        known = _known_manifest(target, source, again)
        expected = _single_files(None if again else known, folder, files)
        if expected is None:
            manifest = download_all(source, target, sums or {}, reporter)
            return DownloadResult(folder, manifest, len(manifest.files))
        manifest = download_files(source, target, known, expected, sums or {}, reporter)
        if not files:
            target.clear()
        return DownloadResult(folder, manifest, len(expected))


def _single_files(
    known: Manifest | None, folder: Path, files: Sequence[str]
) -> dict[str, FileStat | None] | None:
    """The files to download one by one with what is known of them; None for the whole archive."""
    missing = [] if known is None else known.missing_from(folder)
    if files:
        is_there = set() if known is None else known.files.keys() - {*missing}
        return {name: None for name in files if name not in is_there}
    if known is None or not known.is_whole:
        return None
    size = sum(known.files[name].size for name in missing)
    if len(missing) > _MAX_SINGLE_FILES or 2 * size > known.size:
        return None
    return {name: known.files[name] for name in missing}


def holds_other_data(folder: Path) -> bool:
    """Whether the user has put data into a folder, which a download would replace."""
    return folder.exists() and read_manifest(DownloadDir(folder).manifest) is None


@contextlib.contextmanager
def _locked(target: DownloadDir) -> Iterator[None]:
    target.folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(target.folder.with_name(f"{target.unfinished.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"Another process is downloading the same. Received: {target.folder}. Wait for it, or "
            "stop it first."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _known_manifest(target: DownloadDir, source: KaggleSource, again: bool) -> Manifest | None:
    """What was downloaded before; refuses a folder with other data."""
    known = read_manifest(target.manifest)
    if known is not None and known.is_of(source):
        return known
    if target.folder.exists() and not again:
        whose = "unknown" if known is None else known.slug
        raise DataError(
            f"There are data already, which are not a download of {source}. Received: "
            f"{target.folder}, of {whose} origin. Move it away, or replace it with --again; "
            f"prepare takes it as it is: python -m kagglecxr.prepare {shlex.quote(source.name)}"
        )
    return None
