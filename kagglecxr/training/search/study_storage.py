"""Where a study is stored: a journal file, or a database that several machines share."""

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
# Reasons and the words by which they are found in the errors of database drivers, which themselves
# are not shown: they may contain a part of the password.
_REASONS = {
    "the server refuses the user or the password": ("password", "authentication"),
    "there is no such database": ("does not exist", "unknown database"),
    "no server answers there": (
        "refused", "resolve", "translate host", "timeout", "timed out", "no such file",
        "closed the connection", "terminat", "shutting down", "connection is lost", "is closed",
    ),
}  # fmt: skip


def storage_location(folder: Path, url: str | None) -> str:
    """Returns the URL if there is one, else the path of the journal file in the study's folder."""
    return url or str((folder / "journal.log").absolute())


def open_storage(location: str) -> BaseStorage:
    """Opens the storage at a URL or in a journal file.

    Raises:
        SettingError: It cannot be opened.
    """
    if "://" not in location:
        path = Path(location)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = JournalFileOpenLock(location)
        _truncate_partial_line(path, lock)
        return JournalStorage(JournalFileBackend(location, lock))
    try:
        return _open_database(location)
    except Exception as error:  # noqa: BLE001 each driver has its own, and they may hold the URL
        raise _storage_error(location, error) from None


@contextlib.contextmanager
def explain_storage_errors(location: str) -> Iterator[None]:
    """Turns the errors of a database that is lost during the search into a `SettingError`.

    Raises:
        SettingError: The database was lost.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise _storage_error(location, error) from None


def _open_database(url: str) -> BaseStorage:
    _create_tables(url, ATTEMPTS)
    # pool_pre_ping: connections that were cut while a trial was trained are opened again.
    database = RDBStorage(url, engine_kwargs={"pool_pre_ping": True}, skip_table_creation=True)
    storage = get_storage(database)
    weakref.finalize(storage, database.engine.dispose)
    return storage


def _create_tables(url: str, attempts: int) -> None:
    """Creates the tables; if two machines do so at once, one of them has to try again."""
    try:
        RDBStorage(url, engine_kwargs={"poolclass": NullPool})
    except DBAPIError as error:
        exists = isinstance(error, (IntegrityError, ProgrammingError))
        if attempts == 1 or not (exists or "already exists" in str(error)):
            raise
        time.sleep(RETRY_SECONDS)
        _create_tables(url, attempts - 1)


def _storage_error(location: str, error: Exception) -> SettingError:
    message = f"{error} {error.__cause__}".lower()
    known = [reason for reason, words in _REASONS.items() if any(word in message for word in words)]
    return SettingError(
        f"A study's storage cannot be opened or was lost. Received: --storage "
        f"{location.partition('://')[0]}://... ({(known or [type(error).__name__])[0]}). Check the "
        "URL, that its server runs, and that its driver is installed (for PostgreSQL: pip install "
        "'kagglecxr[postgres]'), and run the same command again."
    )


def _truncate_partial_line(journal: Path, lock: JournalFileOpenLock) -> None:
    """Removes a line that a power failure or a full disk cut off, on which Optuna would fail."""
    if not journal.is_file():
        return
    lock.acquire()
    try:
        content = journal.read_bytes()
        if content and not content.endswith(b"\n"):
            with journal.open("r+b") as stream:
                stream.truncate(content.rfind(b"\n") + 1)
    finally:
        lock.release()
