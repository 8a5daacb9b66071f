"""Fetches single files, which Kaggle sends as they are or in an archive of their own."""

import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.files import digest
from kagglecxr.remote.archives import FileFacts, contents, is_zip, unpack
from kagglecxr.remote.downloads.checking import check_against_list, check_sums
from kagglecxr.remote.downloads.fetching import fetch
from kagglecxr.remote.downloads.manner import Manner
from kagglecxr.remote.downloads.origin import Origin
from kagglecxr.remote.downloads.placing import Place
from kagglecxr.remote.room import check_room
from kagglecxr.remote.zip_members import crc32


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


def fetch_file(
    origin: Origin,
    name: str,
    place: Place,
    expected: FileFacts | None,
    sha256: str | None,
    manner: Manner,
) -> FileFacts:
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
        check_room(part, size + max(size, expected.size if expected else 0), name)

    arrived = fetch(
        origin.errand_for_file(name),
        lambda api, folder: origin.fetch_one(api, name, folder),
        part,
        check_size,
        manner,
    )
    arrived_size = arrived.stat().st_size
    try:
        file = _taken_out(arrived, name, own, expected)
        facts = FileFacts(file.stat().st_size, crc32(file))
        _check(expected, facts, arrived_size, name, origin)
        if sha256 is not None:
            check_sums({name: sha256}, {name: file}, "the competition's list", manner.reporter)
    except DataError:
        # A part is gone on with; a whole that is wrong is not.
        shutil.rmtree(own, ignore_errors=True)
        raise
    target = place.folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)
    shutil.rmtree(own, ignore_errors=True)
    return facts


def _taken_out(arrived: Path, name: str, own: Path, expected: FileFacts | None) -> Path:
    """The file itself, out of an archive that holds just this file, if it came in one."""
    wanted = PurePosixPath(name).name
    is_named_so = arrived.name == f"{wanted}.zip"
    as_it_is = expected is not None and expected.size == arrived.stat().st_size
    if not is_zip(arrived) or (as_it_is and not is_named_so):
        return arrived
    if not is_named_so and not zipfile.is_zipfile(arrived):
        return arrived
    inside = contents(arrived, name) or {}
    # A spreadsheet is a zip archive as well, of other names.
    if [PurePosixPath(file).name for file in inside] != [wanted]:
        return arrived
    (file,) = unpack(arrived, own / "unpacked", name)
    return own / "unpacked" / file


def _check(
    expected: FileFacts | None, facts: FileFacts, arrived: int, name: str, origin: Origin
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
        check_against_list({name: expected.size}, {name: facts}, str(origin))
