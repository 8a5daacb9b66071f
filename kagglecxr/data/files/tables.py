"""Tables as people save them: any separator and encoding, blanks, an index column."""

import csv
import io
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import DataError

_SEPARATORS = ",;\t|"
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def read_any_table(path: Path) -> pd.DataFrame:
    """Reads a user's table with all cells as text, without blanks around them.

    A column without a name, as pandas writes its index, is left out.

    Raises:
        DataError: the file is empty, no table, or a line has another number of cells.
    """
    text = _decoded(path.read_bytes())
    lines = text.lstrip().split("\n", 1)
    if not lines[0].strip():
        raise DataError(f"A table is empty. Received: {path}. Download it again.")
    if lines[0].startswith("<"):
        raise DataError(
            f"A table is a web page. Received: {path}, which begins with {lines[0][:40]!r}. "
            "Download the file itself."
        )
    separator = max(_SEPARATORS, key=lines[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    header: list[str] = []
    rows: list[list[str]] = []
    for line in reader:
        cells = [cell.strip() for cell in line]
        if not any(cells):
            continue
        if not header:
            header = cells
            continue
        if len(cells) != len(header):
            raise DataError(
                f"A line of a table has another number of cells than the first. Received: {path}, "
                f"line {reader.line_num} with {len(cells)} in place of {len(header)}: "
                f"{separator.join(cells)[:60]!r}. Put text with {separator!r} in it into quotes."
            )
        rows.append(cells)
    table = pd.DataFrame(rows, columns=pd.Index(header), dtype=str)
    return table.loc[:, [name != "" and not name.startswith("Unnamed: ") for name in header]]


def _decoded(content: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        # What Excel writes in western Europe; every byte but five is a character of it.
        return content.decode("cp1252", errors="replace")
