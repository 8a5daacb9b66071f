"""Where a study is kept: a journal file, or a database that several machines share."""

import contextlib
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, get_storage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from kagglecxr.core.errors import SettingError

ATTEMPTS, RETRY_SECONDS = 5, 0.3
# What drivers say, and what is told of it: their own words may hold a part of the password.
_REASONS = {
    "the server refuses the user or the password": ("password", "authentication"),
    "there is no such database": ("does not exist", "unknown database"),
    "no server answers there": (
        "refused", "resolve", "translate host", "timeout", "timed out", "no such file",
        "closed the connection", "terminat", "shutting down", "connection is lost", "is closed",
    ),
}  # fmt: skip


def storage_location(folder: Path, url: str | None) -> str:
    """Where a study is kept: a URL as it is, or else the journal file in the study's folder."""
    return url or str((folder / "journal.log").absolute())


def open_storage(place: str) -> BaseStorage:
    """The storage at a URL or in a journal file.

    Raises:
        SettingError: it cannot be opened.
    """
    if "://" not in place:
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        _truncate_partial_line(path)
        return JournalStorage(JournalFileBackend(place, _lock(place)))
    try:
        return _open_database(place)
    except Exception as error:  # noqa: BLE001 each driver has its own, and they may hold the URL
        raise _storage_error(place, error) from None


@contextlib.contextmanager
def explain_storage_errors(place: str) -> Iterator[None]:
    """Turns what a database says when it is lost on the way into a sentence.

    Args:
        place: see `storage_location`.

    Raises:
        SettingError: the database was lost.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise _storage_error(place, error) from None


def _open_database(url: str) -> BaseStorage:
    _make_tables(url, ATTEMPTS)
    # A connection that was cut while a trial was trained is opened again.
    database = RDBStorage(url, engine_kwargs={"pool_pre_ping": True}, skip_table_creation=True)
    storage = get_storage(database)
    weakref.finalize(storage, database.engine.dispose)
    return storage


def _make_tables(url: str, attempts: int) -> None:
    """Two that come to an empty database at once both make its tables, and one is refused."""
    try:
        RDBStorage(url, engine_kwargs={"poolclass": NullPool})
    except DBAPIError as error:
        made = isinstance(error, (IntegrityError, ProgrammingError))
        if attempts == 1 or not (made or "already exists" in str(error)):
            raise
        time.sleep(RETRY_SECONDS)
        _make_tables(url, attempts - 1)


def _storage_error(place: str, error: Exception) -> SettingError:
    told = f"{error} {error.__cause__}".lower()
    known = [reason for reason, words in _REASONS.items() if any(word in told for word in words)]
    return SettingError(
        f"A study's storage cannot be opened or was lost. Received: --storage "
        f"{place.partition('://')[0]}://... ({(known or [type(error).__name__])[0]}). Check the "
        "URL, that its server runs, and that its driver is installed (for PostgreSQL: pip install "
        "'kagglecxr[postgres]'), and run the same command again."
    )


def _lock(journal: str) -> JournalFileOpenLock:
    return JournalFileOpenLock(journal)


def _truncate_partial_line(journal: Path) -> None:
    """Cuts what a power failure or a full disk left unfinished, which Optuna would stumble over."""
    if not journal.is_file():
        return
    lock = _lock(str(journal))
    lock.acquire()
    try:
        content = journal.read_bytes()
        if content and not content.endswith(b"\n"):
            with journal.open("r+b") as stream:
                stream.truncate(content.rfind(b"\n") + 1)
    finally:
        lock.release()
