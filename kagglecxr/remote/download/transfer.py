"""Downloads one file through the Kaggle client, and goes on with it after an interruption."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import call_with_retry
from kagglecxr.remote.errors import KaggleError, RequestContext

_MARKER = ".kaggle-partial"
_PROGRESS_INTERVAL = 0.2


def downloaded_bytes(folder: Path) -> int:
    """How much of the file in a transfer's folder is there."""
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    """The file in a transfer's folder, without the client's note by which it resumes."""
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != _MARKER]


def download_one(
    context: RequestContext,
    call: Callable[[Any, Path], None],
    folder: Path,
    check_size: Callable[[int], None],
    reporter: Reporter,
) -> Path:
    """Downloads one file completely; what an earlier process has downloaded of it is kept.

    Args:
        context: what is requested, for the error sentence.
        call: has the client, its first argument, write one file into the folder, its second.
        folder: holds nothing but this file, or a part of it.
        check_size: called with the file's bytes before any is written; refuses by raising.
        reporter: shows the bytes, and notes pauses and interruptions.

    Raises:
        KaggleError: Kaggle refused, could not be reached, or interrupted the download again and
            again without sending any more of it.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def transfer(api: Any) -> None:
        with contextlib.ExitStack() as progress:

            def begin(file: Path, size: int) -> None:
                check_size(size)
                for other in _files(folder):
                    if other != file:
                        other.unlink()
                progress.enter_context(_shown(context.what, file, size, reporter))

            api.on_download = begin
            call(api, folder)

    while True:
        before = downloaded_bytes(folder)
        try:
            call_with_retry(context, transfer, reporter)
            break
        except KaggleError:
            # The client's own retries all use one signed address, which expires.
            if downloaded_bytes(folder) <= before:
                raise
        reporter.note(
            f"{context.what} was interrupted; going on at {downloaded_bytes(folder):,} bytes."
        )
    files = _files(folder)
    if len(files) != 1:
        raise KaggleError(
            f"The Kaggle client did not write one file. Received: {len(files)} files for "
            f"{context.what}. Run: pip install --upgrade kaggle"
        )
    return files[0]


@contextlib.contextmanager
def _shown(what: str, file: Path, total: int, reporter: Reporter) -> Iterator[None]:
    """Shows a bar of a growing file: the client reports no progress."""
    ended = threading.Event()

    def size() -> int:
        return file.stat().st_size if file.is_file() else 0

    def show() -> None:
        shown = size()
        with reporter.bar(f"Downloading {what}", total, unit="bytes", done=shown) as bar:
            is_over = False
            while not is_over:
                is_over = ended.wait(_PROGRESS_INTERVAL)
                grown = size()
                bar.advance(grown - shown)
                shown = grown

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
