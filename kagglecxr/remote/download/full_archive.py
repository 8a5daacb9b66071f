"""Downloads all files of a source as one archive, and puts them in place once verified."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from kagglecxr.core.disk import ensure_disk_space
from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.archives import FileStat, list_archive, unpack
from kagglecxr.remote.download.download_dir import DownloadDir, Manifest
from kagglecxr.remote.download.source import KaggleSource, list_files
from kagglecxr.remote.download.transfer import download_one, downloaded_bytes
from kagglecxr.remote.download.verify import (
    SHA256SUMS,
    check_listing,
    check_sha256,
    compare_with_listing,
    read_sha256sums,
)


def download_all(
    source: KaggleSource, target: DownloadDir, sums: Mapping[str, str], reporter: Reporter
) -> Manifest:
    """Downloads, verifies, unpacks and puts in place; resumes from wherever it was killed.

    Args:
        source: whose data.
        target: what is in its folder is replaced at the very end.
        sums: known SHA-256 of files by their names.
        reporter: shows the progress.

    Raises:
        CxrError: the data cannot be had, or are not as they should be. Nothing is put in place.
        OSError: an error of the disk, unchanged.
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
        _check_hashes(target.unpacked, files, sums, reporter)
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

    arrived = download_one(source.context(), source.download_all, target.part, check_size, reporter)
    arrived.replace(target.archive)


def _unpack(
    source: KaggleSource,
    target: DownloadDir,
    inside: Mapping[str, FileStat] | None,
    reporter: Reporter,
) -> dict[str, FileStat]:
    total = sum(stat.size for stat in inside.values()) if inside else 0
    for path in [*target.unpacked.rglob("*")]:
        # Left by an earlier try with the archive of another version.
        if inside and path.is_file() and path.relative_to(target.unpacked).as_posix() not in inside:
            path.unlink()
    target.unpacked.mkdir(parents=True, exist_ok=True)
    with reporter.bar(f"Unpacking {source}", total, unit="bytes") as bar:
        return unpack(target.archive, target.unpacked, str(source), bar.advance)


def _check_hashes(
    folder: Path, names: Iterable[str], sums: Mapping[str, str], reporter: Reporter
) -> None:
    files = {name: folder / name for name in names}
    if sums:
        check_sha256(sums, files, "the competition's list", reporter)
    if SHA256SUMS in files:
        check_sha256(read_sha256sums(files[SHA256SUMS]), files, f"their own {SHA256SUMS}", reporter)
