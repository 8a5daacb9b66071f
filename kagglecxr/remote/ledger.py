"""What was submitted, when, and what it scored: one line a submission, never lost."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kagglecxr.core.files import read_table, write_table


@dataclass(frozen=True)
class Entry:
    """One submission; what is not known is empty."""

    time: str
    competition: str
    file: str
    sha256: str
    message: str = ""
    ref: str = ""
    status: str = ""
    public_score: str = ""
    private_score: str = ""
    rank: str = ""
    local_score: str = ""


COLUMNS = [field.name for field in dataclasses.fields(Entry)]


def read_ledger(path: Path) -> list[Entry]:
    """All entries, oldest first; none where there is no ledger yet."""
    if not path.is_file():
        return []
    table = read_table(path).reindex(columns=COLUMNS, fill_value="")
    return [
        Entry(**{str(key): value for key, value in row.items()}) for row in table.to_dict("records")
    ]


def write_ledger(path: Path, entries: list[Entry]) -> None:
    """Writes all entries, whole or not at all."""
    table = pd.DataFrame([dataclasses.asdict(entry) for entry in entries], columns=COLUMNS)
    write_table(path, table)


def find(entries: list[Entry], competition: str, sha256: str, ref: str) -> Entry | None:
    """The latest entry of this very file for this competition and test part."""
    same = [
        entry
        for entry in entries
        if (entry.competition, entry.sha256, entry.ref) == (competition, sha256, ref)
    ]
    return same[-1] if same else None
