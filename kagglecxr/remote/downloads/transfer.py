"""Keeps the fetched part of a file from the client, which may take something else for its rest.

After a kill the client goes on where it stopped. But some versions of it append to a part whatever
the storage answers: an error's page once a signed address has run out, or another file's bytes.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from kagglecxr.core.files import read_json, write_json

IDENTITY = ".identity.json"
MARKER = ".kaggle-partial"
_ADDRESS_RAN_OUT = (400, 401, 403, 404, 410)


class AddressRanOutError(Exception):
    """A part's rest lies elsewhere by now; not an OSError, which the client would wait out."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__("the address of the rest has run out")
        self.response = response


def fetched_files(folder: Path) -> list[Path]:
    """The file in a transfer's folder, or a part of it, without what is noted about it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if path.name != IDENTITY and path.suffix != MARKER]


def fetched_bytes(folder: Path) -> int:
    """How much of it there is, while it grows."""
    total = 0
    for path in fetched_files(folder):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def is_complete(folder: Path) -> bool:
    """Whether all bytes are there that were told when the file was begun."""
    identity = _noted(folder)
    is_there = len(fetched_files(folder)) == 1
    return bool(is_there and identity and identity["size"] == str(fetched_bytes(folder)))


@contextlib.contextmanager
def kept_whole(folder: Path, told: Callable[[int], None]) -> Iterator[None]:
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
                _check_rest(response, folder)
            elif response.status_code == requests.codes.ok:
                _compare(response, folder)
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


def _compare(response: requests.Response, folder: Path) -> None:
    """Deletes a part of what is another file than the one that is answered."""
    identity = _identity(response)
    if identity["validator"] and _noted(folder) == identity:
        return
    _forget(folder)
    write_json(folder / IDENTITY, identity)


def _check_rest(response: requests.Response, folder: Path) -> None:
    """Refuses an answer that is not the rest of the part in the folder.

    Raises:
        AddressRanOutError: a new address is needed.
        requests.HTTPError: worth asking again, which the client does.
    """
    if response.status_code == requests.codes.ok:
        # All of it, from its start: of another file by now, or from a server that cuts none.
        _forget(folder)
        write_json(folder / IDENTITY, _identity(response))
    elif response.status_code in _ADDRESS_RAN_OUT or _is_of_another(response, folder):
        raise AddressRanOutError(response)
    elif response.status_code == requests.codes.requested_range_not_satisfiable:
        _forget(folder)
    response.raise_for_status()


def _is_of_another(response: requests.Response, folder: Path) -> bool:
    """Whether a rest says of itself that it is another file's than the part."""
    validator, noted = _identity(response)["validator"], _noted(folder)
    is_rest = response.status_code == requests.codes.partial_content
    return bool(is_rest and validator and noted and noted["validator"] != validator)


def _identity(response: requests.Response) -> dict[str, str | None]:
    headers = response.headers
    validator = headers.get("ETag") or headers.get("Last-Modified")
    return {"validator": validator, "size": headers.get("Content-Length")}


def _noted(folder: Path) -> dict[str, str | None] | None:
    """What file a transfer was begun with."""
    try:
        identity = read_json(folder / IDENTITY)
        return {"validator": identity["validator"], "size": identity["size"]}
    except (OSError, ValueError, KeyError):
        return None


def _forget(folder: Path) -> None:
    for path in [*folder.rglob("*")]:
        if path.is_file():
            path.unlink()
