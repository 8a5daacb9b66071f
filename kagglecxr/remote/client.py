"""The door to Kaggle: starts the official client quietly, and makes its failures sentences."""

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from kagglecxr.core.errors import CxrError, MissingError
from kagglecxr.remote.failures import SETTINGS_PAGE, Errand, KaggleError, explain, harmless

TIMEOUT = 60.0


@contextlib.contextmanager
def kaggle_client(errand: Errand, timeout: float = TIMEOUT) -> Iterator[Any]:
    """The client, signed in, for the length of a block; not for several threads at once.

    Args:
        errand: what the block asks for; whatever fails in the block is told as its failure.
        timeout: seconds of silence after which a connection is given up.

    Yields:
        A `KaggleApi`. What is printed while the block lasts is not shown: the client prints help,
        warnings and, told to be verbose, credentials to stdout.

    Raises:
        MissingError: there is no client, or there are no credentials.
        KaggleError: Kaggle refused, fell silent, or could not be reached.
        OSError: of the disk, as it came.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()), _no_stdin(), _time_limit(timeout):
            yield _signed_in(errand)
    except CxrError:
        raise
    except Exception as error:
        if _is_of_disk(error):
            raise
        # A cause may hold a token or a signed address, and notebooks show and keep causes.
        raise explain(error, errand) from None


def _is_of_disk(error: Exception) -> bool:
    # Those of the network are OSErrors too.
    of_network = isinstance(error, requests.RequestException | ConnectionError | TimeoutError)
    return isinstance(error, OSError) and error.errno is not None and not of_network


@contextlib.contextmanager
def _no_stdin() -> Iterator[None]:
    """Takes stdin away: without credentials the client calls `exit()`, which closes it."""
    before, sys.stdin = sys.stdin, io.StringIO()
    try:
        yield
    finally:
        sys.stdin = before


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Gives every request a time limit.

    The client sends most without one, some while it is imported, and passes `None`, which
    overrules a socket's default: the one place left is the adapter all its sessions share.
    """
    send = HTTPAdapter.send

    def send_in_time(adapter: HTTPAdapter, request: Any, **options: Any) -> requests.Response:
        return send(adapter, request, **{**options, "timeout": seconds})

    HTTPAdapter.send = send_in_time  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        HTTPAdapter.send = send  # type: ignore[method-assign]


def _signed_in(errand: Errand) -> Any:
    """The client's one instance, signed in afresh: importing it tries to, and may hide how."""
    try:
        import kaggle

        kaggle.api.authenticate()
    except ImportError as error:
        raise MissingError(
            f"The Kaggle client cannot be imported. Received: {error}. Run: pip install kaggle six"
        ) from None
    except SystemExit:
        raise _no_credentials("none", errand) from None
    except OSError as error:
        if not _is_of_disk(error):
            raise
        raise KaggleError(
            f"The Kaggle client cannot start. Received: {harmless(error)}. Name a folder it may "
            "write to with KAGGLE_CONFIG_DIR, and check KAGGLE_API_TOKEN."
        ) from None
    except ValueError as error:
        # What kaggle 2.0 says of a kaggle.json without a name or a key; later ones exit.
        raise _no_credentials(harmless(error), errand) from None
    return kaggle.api


def _no_credentials(found: str, errand: Errand) -> MissingError:
    return MissingError(
        f"There are no Kaggle credentials. Received: {found} for {errand.what}. Make a token at "
        f"{SETTINGS_PAGE} and set KAGGLE_API_TOKEN, or put its kaggle.json into ~/.kaggle. "
        f"{errand.instead}"
    )
