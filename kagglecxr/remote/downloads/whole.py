"""Fetches all of some data as one archive, and puts them in their place when all is well."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.archives import FileFacts, contents, unpack
from kagglecxr.remote.downloads.checking import (
    SUMS,
    check_against_list,
    check_sums,
    read_sums,
    unlike_the_list,
)
from kagglecxr.remote.downloads.fetching import fetch
from kagglecxr.remote.downloads.listing import list_files
from kagglecxr.remote.downloads.manifest import Manifest
from kagglecxr.remote.downloads.manner import Manner
from kagglecxr.remote.downloads.origin import Origin
from kagglecxr.remote.downloads.placing import Place
from kagglecxr.remote.downloads.transfer import fetched_bytes
from kagglecxr.remote.room import check_room


def fetch_whole(origin: Origin, place: Place, sums: Mapping[str, str], manner: Manner) -> Manifest:
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
    listed = _read_list(place)
    is_old = listed is not None
    if listed is None:
        listed = list_files(origin, manner)
        check_room(place.folder, sum(listed.values()), f"what {origin} holds")
        write_json(place.listed, listed)
    if not place.archive.is_file():
        _fetch_archive(origin, place, sum(listed.values()), manner)
    try:
        inside = contents(place.archive, str(origin))
        if is_old and inside is not None and unlike_the_list(listed, inside):
            # A new version may have come out since the list was made.
            listed = list_files(origin, manner)
        if inside is not None:
            check_against_list(listed, inside, str(origin))
            _tell_what_is_not_listed(listed, inside, manner.reporter)
        found = _unpack(origin, place, inside, manner.reporter)
        if inside is None:
            check_against_list(listed, found, str(origin))
        _check_hashes(place.unpacked, found, sums, manner.reporter)
    except DataError:
        place.clear()
        raise
    manifest = Manifest(origin.kind, origin.slug, True, found)
    place.fill(manifest)
    return manifest


def _read_list(place: Place) -> dict[str, int] | None:
    try:
        return {name: int(size) for name, size in read_json(place.listed).items()}
    except (OSError, ValueError, TypeError):
        return None


def _fetch_archive(origin: Origin, place: Place, unpacked: int, manner: Manner) -> None:
    def check_size(size: int) -> None:
        # A list may be short; what is packed hardly shrinks.
        needed = size - fetched_bytes(place.part) + max(unpacked, size)
        check_room(place.folder, needed, f"{origin}, its archive and what is in it")

    arrived = fetch(origin.errand(), origin.fetch_all, place.part, check_size, manner)
    arrived.replace(place.archive)


def _tell_what_is_not_listed(
    listed: Mapping[str, int], inside: Mapping[str, FileFacts], reporter: Reporter
) -> None:
    if len(inside) > len(listed):
        more = len(inside) - len(listed)
        reporter.note(f"The archive holds {more} files more than Kaggle lists; they are kept.")


def _unpack(
    origin: Origin,
    place: Place,
    inside: Mapping[str, FileFacts] | None,
    reporter: Reporter,
) -> dict[str, FileFacts]:
    total = sum(facts.size for facts in inside.values()) if inside else 0
    if inside is not None:
        _delete_strangers(place.unpacked, inside)
    place.unpacked.mkdir(parents=True, exist_ok=True)
    with reporter.bar(f"Unpacking {origin}", total, unit="bytes") as bar:
        return unpack(place.archive, place.unpacked, str(origin), bar.advance)


def _delete_strangers(folder: Path, inside: Mapping[str, FileFacts]) -> None:
    """Deletes what an earlier try may have unpacked from another version's archive."""
    for path in [*folder.rglob("*")]:
        if path.is_file() and path.relative_to(folder).as_posix() not in inside:
            path.unlink()


def _check_hashes(
    folder: Path, names: Iterable[str], sums: Mapping[str, str], reporter: Reporter
) -> None:
    files = {name: folder / name for name in names}
    if sums:
        check_sums(sums, files, "the competition's list", reporter)
    if SUMS in files:
        check_sums(read_sums(files[SUMS]), files, f"their own {SUMS}", reporter)
