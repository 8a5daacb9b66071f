"""Fetches some files of the data, one after the other, and notes each as soon as it is there."""

from collections.abc import Mapping

from kagglecxr.remote.archives import FileFacts
from kagglecxr.remote.downloads.listing import list_files
from kagglecxr.remote.downloads.manifest import Manifest, write_manifest
from kagglecxr.remote.downloads.manner import Manner
from kagglecxr.remote.downloads.origin import Origin
from kagglecxr.remote.downloads.placing import Place
from kagglecxr.remote.downloads.single import fetch_file


def fetch_some(
    origin: Origin,
    place: Place,
    known: Manifest | None,
    expected: Mapping[str, FileFacts | None],
    sums: Mapping[str, str],
    manner: Manner,
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
        wanted = facts or (FileFacts(listed[name]) if name in listed else None)
        fetched = fetch_file(origin, name, place, wanted, sums.get(name), manner)
        files = {**manifest.files, name: fetched}
        manifest = Manifest(origin.kind, origin.slug, manifest.is_whole, files)
        write_manifest(place.manifest, manifest)
    return manifest
