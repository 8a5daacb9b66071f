"""What was submitted, when, and what it scored: one line a submission, never lost."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from filelock import FileLock

from kagglecxr.core.files import read_table, write_table


@dataclass(frozen=True)
class LedgerEntry:
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


COLUMNS = [field.name for field in dataclasses.fields(LedgerEntry)]


def read_ledger(path: Path) -> list[LedgerEntry]:
    """All entries, oldest first; none where there is no ledger yet."""
    if not path.is_file():
        return []
    table = read_table(path).reindex(columns=COLUMNS, fill_value="")
    return [
        LedgerEntry(**{str(key): value for key, value in row.items()})
        for row in table.to_dict("records")
    ]


def write_ledger(path: Path, entries: list[LedgerEntry]) -> None:
    """Writes all entries, whole or not at all."""
    table = pd.DataFrame([dataclasses.asdict(entry) for entry in entries], columns=COLUMNS)
    write_table(path, table)


def add_entry(path: Path, entry: LedgerEntry) -> None:
    """Writes one more line, whoever else is writing."""
    with _locked(path):
        write_ledger(path, [*read_ledger(path), entry])


def amend_entry(path: Path, entry: LedgerEntry, **changes: str) -> LedgerEntry:
    """Rewrites a line, told by time, competition, hash and message, and gives the new one."""
    amended = dataclasses.replace(entry, **changes)
    with _locked(path):
        lines = [amended if _key(line) == _key(entry) else line for line in read_ledger(path)]
        write_ledger(path, lines)
    return amended


def _key(entry: LedgerEntry) -> tuple[str, str, str, str]:
    return entry.time, entry.competition, entry.sha256, entry.message


def _locked(path: Path) -> FileLock:
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path.with_name(".ledger.lock"))


def find_entry(
    entries: list[LedgerEntry], competition: str, sha256: str, ref: str
) -> LedgerEntry | None:
    """The latest entry of this very file for this competition and test part."""
    same = [
        entry
        for entry in entries
        if (entry.competition, entry.sha256, entry.ref) == (competition, sha256, ref)
    ]
    return same[-1] if same else None
