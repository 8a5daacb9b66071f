"""Tables as people save them: any separator and encoding, blanks, an index column."""

import csv
import gzip
import io
import zipfile
import zlib
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import DataError

_SEPARATORS = ",;\t|"
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def read_any_table(path: Path, *, header: bool = True) -> pd.DataFrame:
    """Reads a user's table with all cells as text, without blanks around them.

    A column without a name, as pandas writes its index, is left out. Cells may also be separated by
    blanks, if each line then has as many as the first; without a header columns are called 1, 2 and
    so on.

    Raises:
        DataError: the file is empty, no table, or a line has another number of cells.
    """
    text = _decoded(_unpacked(path.read_bytes(), path))
    first = text.lstrip().split("\n", 1)[0]
    if first.startswith("<"):
        raise DataError(
            f"A table is a web page. Received: {path}, which begins with {first[:40]!r}. "
            "Download the file itself."
        )
    separator = max(_SEPARATORS, key=first.count)
    rows = _cells(text, separator, path) if separator in first else _separated_by_blanks(text)
    if not rows:
        raise DataError(f"A table is empty. Received: {path}. Download it again.")
    if not header:
        rows.insert(0, [str(number) for number in range(1, len(rows[0]) + 1)])
    names, *rows = rows
    table = pd.DataFrame(rows, columns=pd.Index(_numbered(names)), dtype=str)
    return table.loc[:, [name != "" and not name.startswith("Unnamed: ") for name in names]]


def _numbered(names: list[str]) -> list[str]:
    """Column names, of which a repeated one gets a number behind it, as pandas does it."""
    times = [names[:position].count(name) for position, name in enumerate(names)]
    return [f"{name}.{k}" if k and name else name for name, k in zip(names, times, strict=True)]


def _unpacked(content: bytes, path: Path) -> bytes:
    """A table's bytes, out of the archive in which Kaggle sends single files."""
    try:
        if content.startswith(b"\x1f\x8b"):
            return gzip.decompress(content)
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                (member,) = archive.namelist()
                return archive.read(member)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"A table is a workbook or an archive that does not hold one table alone. Received: "
            f"{path} ({error}). Save it as CSV."
        ) from error
    return content


def _separated_by_blanks(text: str) -> list[list[str]]:
    """The cells of each line, or each line as one cell where the numbers of cells differ."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rows = [line.split() for line in lines]
    are_equal = len({len(row) for row in rows}) == 1
    return rows if are_equal else [[line.strip('"')] for line in lines]


def _cells(text: str, separator: str, path: Path) -> list[list[str]]:
    """The cells of each line that has any; all lines have as many as the first."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[list[str]] = []
    try:
        for line in reader:
            cells = [cell.strip() for cell in line]
            if not any(cells):
                continue
            if rows and len(cells) != len(rows[0]):
                raise DataError(
                    f"A line of a table has another number of cells than the first. Received: "
                    f"{path}, line {reader.line_num} with {len(cells)} in place of {len(rows[0])}: "
                    f"{separator.join(cells)[:60]!r}. Put text with {separator!r} into quotes."
                )
            rows.append(cells)
    except csv.Error as error:
        raise DataError(
            f"A table cannot be read. Received: {path}, line {reader.line_num} ({error}). Save it "
            "as CSV again."
        ) from error
    return rows


def _decoded(content: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        # What Excel writes in western Europe; every byte but five is a character of it.
        return content.decode("cp1252", errors="replace")
