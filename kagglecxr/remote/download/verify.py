"""Compares what arrived with Kaggle's list and with lists of SHA-256."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.core.files import file_digest
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.archives import FileStat

SHA256SUMS = "SHA256SUMS"
"""The name of a list of hashes among the data themselves."""
_SHA256_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


def compare_with_listing(listed: Mapping[str, int], found: Mapping[str, FileStat]) -> list[str]:
    """The listed files that are missing or have another size, as text.

    Kaggle's list may leave out folders' names, and files. A size of 0 is an unknown one.
    """
    wrong = [
        f"{name} ({found[name].size} bytes of {size})"
        for name, size in listed.items()
        if name in found and size not in (0, found[name].size)
    ]
    unlisted = Counter(
        (PurePosixPath(name).name, stat.size) for name, stat in found.items() if name not in listed
    )
    for name in sorted({*listed} - {*found}):
        key = PurePosixPath(name).name, listed[name]
        if unlisted[key] > 0:
            unlisted[key] -= 1
        else:
            wrong.append(f"{name} (missing)")
    return wrong


def check_listing(listed: Mapping[str, int], found: Mapping[str, FileStat], what: str) -> None:
    """Refuses an archive that does not hold what Kaggle lists.

    Raises:
        DataError: files are missing or of another size.
    """
    if wrong := compare_with_listing(listed, found):
        raise DataError(
            f"What arrived is not what Kaggle lists. Received: {shorten(wrong)}, in {what}. Run "
            "the same command again to download it anew; if that changes nothing, Kaggle is "
            "publishing another version: try again in some hours."
        )


def read_sha256sums(path: Path) -> dict[str, str]:
    """Reads a list in sha256sum's form: the SHA-256 of each file by its name."""
    if not path.is_file():
        raise MissingError(
            f"The list of hashes is not there. Looked for: {path}. Check sha256sums in [source] of "
            "the competition's TOML file."
        )
    sums: dict[str, str] = {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if not (match := _SHA256_LINE.fullmatch(line.rstrip())):
            raise DataError(
                f"A list of hashes has a line that is not in sha256sum's form. Received: line "
                f"{number} of {path}. Write it as: sha256sum FILE."
            )
        sums[PurePosixPath(match[2]).as_posix()] = match[1].lower()
    return sums


def check_sha256(
    sums: Mapping[str, str], files: Mapping[str, Path], origin: str, reporter: Reporter
) -> None:
    """Compares every file in a list of hashes; `origin` says in the error whose list it is.

    Raises:
        DataError: a file is missing, or has another hash.
    """
    wrong = []
    with reporter.bar("Comparing hashes", len(sums)) as bar:
        for name, expected in sums.items():
            if name not in files:
                wrong.append(f"{name} (missing)")
            elif file_digest(files[name]) != expected:
                wrong.append(name)
            bar.advance()
    if wrong:
        raise DataError(
            f"Files are not what their list of hashes says. Received: {shorten(wrong)}, by "
            f"{origin}. Run the same command again to download them anew; if that changes nothing, "
            "the data or the list were changed: compare the dates of both."
        )
