"""Fetches all of some data as one archive, and puts them in their place when all is well."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from kagglecxr.core.disk import ensure_disk_space
from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.archives import FileStat, list_archive, unpack
from kagglecxr.remote.download.download_dir import DownloadDir, Manifest
from kagglecxr.remote.download.source import DownloadContext, KaggleSource, list_files
from kagglecxr.remote.download.transfer import download_one, downloaded_bytes
from kagglecxr.remote.download.verify import (
    SHA256SUMS,
    check_listing,
    check_sha256,
    compare_with_listing,
    read_sha256sums,
)


def download_all(
    origin: KaggleSource, place: DownloadDir, sums: Mapping[str, str], manner: DownloadContext
) -> Manifest:
    """Fetches, checks, unpacks and puts in place; killed at any moment, it goes on from there.

    Args:
        origin: whose data.
        place: of the data; what is there is replaced at the very end.
        sums: known SHA-256 of files by their names.
        manner: how Kaggle is asked.

    Raises:
        CxrError: each says what to do. Nothing has been put in place.
        OSError: of the disk, as it came.
    """
    listed = _read_listing(place)
    is_old = listed is not None
    if listed is None:
        listed = list_files(origin, manner)
        ensure_disk_space(place.folder, sum(listed.values()), f"what {origin} holds")
        write_json(place.listed, listed)
    if not place.archive.is_file():
        _download_archive(origin, place, sum(listed.values()), manner)
    try:
        inside = list_archive(place.archive, str(origin))
        if is_old and inside is not None and compare_with_listing(listed, inside):
            # A new version may have come out since the list was made.
            listed = list_files(origin, manner)
        if inside is not None:
            check_listing(listed, inside, str(origin))
            _note_unlisted_files(listed, inside, manner.reporter)
        found = _unpack(origin, place, inside, manner.reporter)
        if inside is None:
            check_listing(listed, found, str(origin))
        _check_hashes(place.unpacked, found, sums, manner.reporter)
    except DataError:
        place.clear()
        raise
    manifest = Manifest(origin.kind, origin.slug, True, found)
    place.fill(manifest)
    return manifest


def _read_listing(place: DownloadDir) -> dict[str, int] | None:
    try:
        return {name: int(size) for name, size in read_json(place.listed).items()}
    except (OSError, ValueError, TypeError):
        return None


def _download_archive(
    origin: KaggleSource, place: DownloadDir, unpacked: int, manner: DownloadContext
) -> None:
    def check_size(size: int) -> None:
        # A list may be short; what is packed hardly shrinks.
        needed = size - downloaded_bytes(place.part) + max(unpacked, size)
        ensure_disk_space(place.folder, needed, f"{origin}, its archive and what is in it")

    arrived = download_one(origin.errand(), origin.fetch_all, place.part, check_size, manner)
    arrived.replace(place.archive)


def _note_unlisted_files(
    listed: Mapping[str, int], inside: Mapping[str, FileStat], reporter: Reporter
) -> None:
    if len(inside) > len(listed):
        more = len(inside) - len(listed)
        reporter.note(f"The archive holds {more} files more than Kaggle lists; they are kept.")


def _unpack(
    origin: KaggleSource,
    place: DownloadDir,
    inside: Mapping[str, FileStat] | None,
    reporter: Reporter,
) -> dict[str, FileStat]:
    total = sum(facts.size for facts in inside.values()) if inside else 0
    if inside is not None:
        _delete_unexpected(place.unpacked, inside)
    place.unpacked.mkdir(parents=True, exist_ok=True)
    with reporter.bar(f"Unpacking {origin}", total, unit="bytes") as bar:
        return unpack(place.archive, place.unpacked, str(origin), bar.advance)


def _delete_unexpected(folder: Path, inside: Mapping[str, FileStat]) -> None:
    """Deletes what an earlier try may have unpacked from another version's archive."""
    for path in [*folder.rglob("*")]:
        if path.is_file() and path.relative_to(folder).as_posix() not in inside:
            path.unlink()


def _check_hashes(
    folder: Path, names: Iterable[str], sums: Mapping[str, str], reporter: Reporter
) -> None:
    files = {name: folder / name for name in names}
    if sums:
        check_sha256(sums, files, "the competition's list", reporter)
    if SHA256SUMS in files:
        check_sha256(read_sha256sums(files[SHA256SUMS]), files, f"their own {SHA256SUMS}", reporter)
