"""Tables as people save them: any separator and encoding, blanks, an index column."""

import csv
import gzip
import io
import zipfile
import zlib
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import DataError, shorten

_SEPARATORS = ",;\t|"
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def list_tables(folder: Path) -> list[str]:
    """Returns the paths, relative to a folder, of the tables in it and its sub-folders."""
    found = [*folder.glob("*.[ct]sv*"), *folder.glob("*/*.[ct]sv*")]
    return [path.relative_to(folder).as_posix() for path in sorted(found)]


def read_any_table(path: Path, *, header: bool = True) -> pd.DataFrame:
    """Reads a user's table with all cells as text, without blanks around them.

    A column without a name that holds numbers, as pandas writes its index, is left out. Cells may
    also be separated by blanks, if each line then has as many as the first; without a header
    columns are called 1, 2 and so on.

    Raises:
        DataError: the file is empty, no table, or a line has another number of cells.
    """
    text = _without_remarks(_decoded(_unpacked(path.read_bytes(), path)))
    first = text.split("\n", 1)[0]
    if first.startswith("<"):
        raise DataError(
            f"A table is a web page. Received: {path}, which begins with {first[:40]!r}. "
            "Download the file itself."
        )
    if first.startswith(("{", "[")):
        raise DataError(f"A table is JSON. Received: {path}. Save it as CSV.")
    separator = max(_SEPARATORS, key=first.count)
    rows = _cells(text, separator, path) if separator in first else _separated_by_blanks(text)
    if not rows:
        raise DataError(f"A table is empty. Received: {path}. Download it again.")
    if not header:
        rows.insert(0, [str(number) for number in range(1, len(rows[0]) + 1)])
    names, *rows = rows
    names = _numbered(names)
    table = pd.DataFrame(rows, columns=pd.Index(names), dtype=str)
    has_name = [name != "" and not name.startswith("Unnamed: ") for name in names]
    # An index may as well be what the table is about.
    is_index = [all(cell.isdigit() for cell in table.iloc[:, k]) for k in range(len(names))]
    kept = [k for k in range(len(names)) if has_name[k] or not is_index[k]]
    return table.iloc[:, kept].set_axis([names[k] or str(k + 1) for k in kept], axis=1)


def _without_remarks(text: str) -> str:
    """A table without what programs write above its header: comments, and Excel's `sep=`."""
    # A tab may stand before the first name: that of an index.
    lines = text.lstrip("\r\n ").split("\n")
    remarks = ("#", "sep=")
    start = next((k for k, line in enumerate(lines) if not line.lower().startswith(remarks)), 0)
    return "\n".join(lines[start:])


def _numbered(names: list[str]) -> list[str]:
    """Column names, of which a repeated one gets a number behind it, as pandas does it."""
    times = [names[:position].count(name) for position, name in enumerate(names)]
    return [f"{name}.{k}" if k and name else name for name, k in zip(names, times, strict=True)]


def _unpacked(content: bytes, path: Path) -> bytes:
    """A table's bytes, out of the archive in which Kaggle sends single files."""
    try:
        if content.startswith(b"\x1f\x8b"):
            return gzip.decompress(content)
        if not content.startswith(b"PK"):
            return content
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in archive.namelist() if "__MACOSX" not in name]
            files = [archive.read(name) for name in names[:2]]
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"A packed table is damaged. Received: {path} ({error}). Download it again."
        ) from error
    if len(files) == 1:
        return files[0]
    raise DataError(
        f"A table is a workbook or an archive of several files. Received: {path} with "
        f"{shorten(names)}. Save it as CSV, or unpack it."
    )


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
