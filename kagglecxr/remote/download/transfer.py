"""Downloads one file through the Kaggle client and resumes it after an interruption."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from kagglecxr.core.files import read_json, write_json
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.download.source import DownloadContext
from kagglecxr.remote.errors import KaggleError, RequestContext

IDENTITY = ".identity.json"
MARKER = ".kaggle-partial"
_EXPIRED_STATUSES = (400, 401, 403, 404, 410)


class ExpiredUrlError(Exception):
    """A part's rest lies elsewhere by now; not an OSError, which the client would wait out."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__("the address of the rest has run out")
        self.response = response


def partial_files(folder: Path) -> list[Path]:
    """The file in a transfer's folder, or a part of it, without what is noted about it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if path.name != IDENTITY and path.suffix != MARKER]


def downloaded_bytes(folder: Path) -> int:
    """How much of it there is, while it grows."""
    total = 0
    for path in partial_files(folder):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def is_complete(folder: Path) -> bool:
    """Whether all bytes are there that were told when the file was begun."""
    identity = _read_identity(folder)
    is_there = len(partial_files(folder)) == 1
    return bool(is_there and identity and identity["size"] == str(downloaded_bytes(folder)))


@contextlib.contextmanager
def guard_transfer(folder: Path, told: Callable[[int], None]) -> Iterator[None]:
    """Watches what the client is answered, for the length of a block that fetches one file.

    Args:
        folder: the transfer's own: a part in it that is of another file than Kaggle's is deleted.
        told: called with the bytes of the whole file, before any of them is written; it may
            refuse them by raising.
    """
    send = HTTPAdapter.send
    opened: list[requests.Response] = []

    def watched(adapter: HTTPAdapter, request: Any, **options: Any) -> requests.Response:
        response = send(adapter, request, **options)
        if request.method != "GET":
            return response
        try:
            if "Range" in request.headers:
                # The client holds on to the answer whose rest it asks for.
                _close_all(opened)
                _check_remainder(response, folder)
            elif response.status_code == requests.codes.ok:
                _discard_if_changed(response, folder)
                told(int(response.headers.get("Content-Length") or 0))
        except BaseException:
            response.close()
            raise
        opened.append(response)
        return response

    HTTPAdapter.send = watched  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        HTTPAdapter.send = send  # type: ignore[method-assign]
        _close_all(opened)


def _close_all(responses: list[requests.Response]) -> None:
    while responses:
        responses.pop().close()


def _discard_if_changed(response: requests.Response, folder: Path) -> None:
    """Deletes a part of what is another file than the one that is answered."""
    identity = _identity(response)
    if identity["validator"] and _read_identity(folder) == identity:
        return
    _delete_partial(folder)
    write_json(folder / IDENTITY, identity)


def _check_remainder(response: requests.Response, folder: Path) -> None:
    """Refuses an answer that is not the rest of the part in the folder.

    Raises:
        AddressRanOutError: a new address is needed.
        requests.HTTPError: worth asking again, which the client does.
    """
    if response.status_code == requests.codes.ok:
        # All of it, from its start: of another file by now, or from a server that cuts none.
        _delete_partial(folder)
        write_json(folder / IDENTITY, _identity(response))
    elif response.status_code in _EXPIRED_STATUSES or _is_other_file(response, folder):
        raise ExpiredUrlError(response)
    elif response.status_code == requests.codes.requested_range_not_satisfiable:
        _delete_partial(folder)
    response.raise_for_status()


def _is_other_file(response: requests.Response, folder: Path) -> bool:
    """Whether a rest says of itself that it is another file's than the part."""
    validator, noted = _identity(response)["validator"], _read_identity(folder)
    is_rest = response.status_code == requests.codes.partial_content
    return bool(is_rest and validator and noted and noted["validator"] != validator)


def _identity(response: requests.Response) -> dict[str, str | None]:
    headers = response.headers
    validator = headers.get("ETag") or headers.get("Last-Modified")
    return {"validator": validator, "size": headers.get("Content-Length")}


def _read_identity(folder: Path) -> dict[str, str | None] | None:
    """What file a transfer was begun with."""
    try:
        identity = read_json(folder / IDENTITY)
        return {"validator": identity["validator"], "size": identity["size"]}
    except (OSError, ValueError, KeyError):
        return None


def _delete_partial(folder: Path) -> None:
    for path in [*folder.rglob("*")]:
        if path.is_file():
            path.unlink()


_PROGRESS_INTERVAL = 0.2


def download_one(
    errand: RequestContext,
    call: Callable[[Any, Path], None],
    folder: Path,
    check_size: Callable[[int], None],
    manner: DownloadContext,
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
        before = downloaded_bytes(folder)
        try:
            with _show_progress(errand.what, folder, manner.reporter) as told:

                def check_and_tell(size: int, told: Callable[[int], None] = told) -> None:
                    check_size(size)
                    told(size)

                def go_on(api: Any, watch: Callable[[int], None] = check_and_tell) -> None:
                    with guard_transfer(folder, watch):
                        call(api, folder)

                manner.ask(errand, go_on)
            break
        except KaggleError:
            # The client has its own tries, but one address for all of them, which runs out.
            if downloaded_bytes(folder) <= before:
                raise
        manner.reporter.note(
            f"{errand.what} was cut off; going on at {downloaded_bytes(folder):,} bytes."
        )
    files = partial_files(folder)
    if len(files) != 1:
        raise KaggleError(
            f"The Kaggle client did not write one file. Received: {len(files)} files for "
            f"{errand.what}. Run: pip install --upgrade kaggle"
        )
    return files[0]


@contextlib.contextmanager
def _show_progress(what: str, folder: Path, reporter: Reporter) -> Iterator[Callable[[int], None]]:
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
        shown = downloaded_bytes(folder)
        with reporter.bar(f"Fetching {what}", total, unit="bytes", done=shown) as bar:
            while not ended.wait(_PROGRESS_INTERVAL):
                now = downloaded_bytes(folder)
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
