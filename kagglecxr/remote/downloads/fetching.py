"""Fetches one file through the client, in as many goes as it takes."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kagglecxr.core.progress import Reporter
from kagglecxr.remote.downloads.manner import Manner
from kagglecxr.remote.downloads.transfer import (
    fetched_bytes,
    fetched_files,
    is_complete,
    kept_whole,
)
from kagglecxr.remote.failures import Errand, KaggleError

_SECONDS_A_LOOK = 0.2


def fetch(
    errand: Errand,
    call: Callable[[Any, Path], None],
    folder: Path,
    check_size: Callable[[int], None],
    manner: Manner,
) -> Path:
    """One file, whole; what an earlier go has fetched of it is not fetched again.

    Args:
        errand: what is asked for.
        call: has the client, given first, write one file into the folder given second.
        folder: of this file alone. A part is kept there.
        check_size: called with the bytes of the whole file before any is written; refuses by
            raising.
        manner: how Kaggle is asked.

    Raises:
        MissingError: there is no client, or there are no credentials.
        KaggleError: Kaggle refused, fell silent, could not be reached, or cut off the file again
            and again without any more bytes of it.
        OSError: of the disk, as it came.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The client goes by dates, and would fetch once more what it was killed right after.
    while not is_complete(folder):
        before = fetched_bytes(folder)
        try:
            with _growth_shown(errand.what, folder, manner.reporter) as told:

                def check_and_tell(size: int, told: Callable[[int], None] = told) -> None:
                    check_size(size)
                    told(size)

                def go_on(api: Any, watch: Callable[[int], None] = check_and_tell) -> None:
                    with kept_whole(folder, watch):
                        call(api, folder)

                manner.ask(errand, go_on)
            break
        except KaggleError:
            # The client has its own tries, but one address for all of them, which runs out.
            if fetched_bytes(folder) <= before:
                raise
        manner.reporter.note(
            f"{errand.what} was cut off; going on at {fetched_bytes(folder):,} bytes."
        )
    files = fetched_files(folder)
    if len(files) != 1:
        raise KaggleError(
            f"The Kaggle client did not write one file. Received: {len(files)} files for "
            f"{errand.what}. Run: pip install --upgrade kaggle"
        )
    return files[0]


@contextlib.contextmanager
def _growth_shown(what: str, folder: Path, reporter: Reporter) -> Iterator[Callable[[int], None]]:
    """A bar of what is fetched, once the function it yields is told of how much that will be."""
    ended, known = threading.Event(), threading.Event()
    total = 0

    def tell(size: int) -> None:
        nonlocal total
        total = size
        known.set()

    def show() -> None:
        # The client tells nobody how far it is: its file does.
        known.wait()
        if ended.is_set():
            return
        shown = fetched_bytes(folder)
        with reporter.bar(f"Fetching {what}", total, unit="bytes", done=shown) as bar:
            while not ended.wait(_SECONDS_A_LOOK):
                now = fetched_bytes(folder)
                bar.advance(now - shown)
                shown = now

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        ended.set()
        known.set()
        thread.join()
