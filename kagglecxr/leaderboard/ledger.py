"""The ledger: one line a submission: what was submitted, when, and what it scored."""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from filelock import FileLock

from kagglecxr.core.files import read_table, write_table

SENDING, PENDING, COMPLETE, ERROR, REFUSED = "sending", "pending", "complete", "error", "refused"
REHEARSED = "rehearsal"
"""The status of a file scored on this machine; the others are of Kaggle."""


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


def utc_now() -> datetime:
    """Returns the current time, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def read_ledger(path: Path) -> list[LedgerEntry]:
    """Returns all entries, oldest first; none where there is no ledger yet."""
    if not path.is_file():
        return []
    table = read_table(path).reindex(columns=COLUMNS, fill_value="")
    return [LedgerEntry(*row) for row in table.itertuples(index=False)]


def write_ledger(path: Path, entries: list[LedgerEntry]) -> None:
    """Writes all entries atomically."""
    write_table(path, pd.DataFrame(map(dataclasses.astuple, entries), columns=COLUMNS))


def add_entry(path: Path, entry: LedgerEntry) -> None:
    """Appends a line; safe with other processes that write."""
    with _locked(path):
        write_ledger(path, [*read_ledger(path), entry])


def amend_entry(path: Path, entry: LedgerEntry, **changes: str) -> LedgerEntry:
    """Rewrites the line of a submission and returns it; safe with other processes that write."""
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
