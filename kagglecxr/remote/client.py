"""The one door to Kaggle: signs in, calls the official client with time limits, and retries."""

import contextlib
import io
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from kagglecxr.core.errors import CxrError, MissingError
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.errors import (
    SETTINGS_PAGE,
    KaggleError,
    RequestContext,
    redact,
    to_kaggle_error,
)

TIMEOUT = 60.0


@contextlib.contextmanager
def kaggle_client(errand: RequestContext, timeout: float = TIMEOUT) -> Iterator[Any]:
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
        with contextlib.redirect_stdout(io.StringIO()), _without_stdin(), _request_timeout(timeout):
            yield _authenticated_client(errand)
    except CxrError:
        raise
    except Exception as error:
        if _is_disk_error(error):
            raise
        # A cause may hold a token or a signed address, and notebooks show and keep causes.
        raise to_kaggle_error(error, errand) from None


def _is_disk_error(error: Exception) -> bool:
    # Those of the network are OSErrors too.
    of_network = isinstance(error, requests.RequestException | ConnectionError | TimeoutError)
    return isinstance(error, OSError) and error.errno is not None and not of_network


@contextlib.contextmanager
def _without_stdin() -> Iterator[None]:
    """Takes stdin away: without credentials the client calls `exit()`, which closes it."""
    before, sys.stdin = sys.stdin, io.StringIO()
    try:
        yield
    finally:
        sys.stdin = before


@contextlib.contextmanager
def _request_timeout(seconds: float) -> Iterator[None]:
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


def _authenticated_client(errand: RequestContext) -> Any:
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
        if not _is_disk_error(error):
            raise
        raise KaggleError(
            f"The Kaggle client cannot start. Received: {redact(error)}. Name a folder it may "
            "write to with KAGGLE_CONFIG_DIR, and check KAGGLE_API_TOKEN."
        ) from None
    except ValueError as error:
        # What kaggle 2.0 says of a kaggle.json without a name or a key; later ones exit.
        raise _no_credentials(redact(error), errand) from None
    return kaggle.api


def _no_credentials(found: str, errand: RequestContext) -> MissingError:
    return MissingError(
        f"There are no Kaggle credentials. Received: {found} for {errand.what}. Make a token at "
        f"{SETTINGS_PAGE} and set KAGGLE_API_TOKEN, or put its kaggle.json into ~/.kaggle. "
        f"{errand.instead}"
    )


TOO_MANY_REQUESTS = 429
Result = TypeVar("Result")


@dataclass(frozen=True)
class RetryPolicy:
    """How long too many requests are waited out.

    Attributes:
        most: seconds, of all pauses together.
        first: seconds of the first pause where Kaggle names none; each one more is twice as long.
        sleep: waits.
    """

    most: float = 900.0
    first: float = 15.0
    sleep: Callable[[float], None] = time.sleep


def call_with_retry(
    errand: RequestContext,
    call: Callable[[Any], Result],
    reporter: Reporter,
    *,
    timeout: float = TIMEOUT,
    patience: RetryPolicy = RetryPolicy(),
) -> Result:
    """What a call of the client gives; where Kaggle has had too many requests, it is made again.

    Args:
        errand: what is asked for; a failure is told as its failure.
        call: takes a signed-in `KaggleApi`. It must be harmless when Kaggle refuses it.
        reporter: told of each pause.
        timeout: seconds of silence after which a connection is given up.
        patience: for how long.

    Raises:
        MissingError: there is no client, or there are no credentials.
        KaggleError: Kaggle refused, fell silent, could not be reached, or wants more patience.
        OSError: of the disk, as it came.
    """
    pause, waited = patience.first, 0.0
    while True:
        try:
            with kaggle_client(errand, timeout) as api:
                return call(api)
        except KaggleError as error:
            wanted = pause if error.retry_after is None else error.retry_after
            if error.status != TOO_MANY_REQUESTS or waited + wanted > patience.most:
                raise
        reporter.note(
            f"Kaggle has had too many requests for {errand.what}; asking again in {wanted:.0f} s."
        )
        patience.sleep(wanted)
        waited += wanted
        pause *= 2


@dataclass(frozen=True)
class PollPolicy:
    """For how long, and how often it is looked at.

    Attributes:
        most: seconds, of all pauses together.
        first: seconds of the first pause; each one more is half as long again.
        longest: seconds of a pause.
        sleep: waits.
    """

    most: float = 1800.0
    first: float = 5.0
    longest: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def pauses(self) -> Iterator[float]:
        """Sleeps between two items, the length of which it gives; ends when the time is over."""
        pause, waited = self.first, 0.0
        yield 0.0
        while waited < self.most:
            pause = min(pause, self.longest, self.most - waited)
            self.sleep(pause)
            waited += pause
            yield pause
            pause *= 1.5


_USERNAME_CONTEXT = RequestContext(
    what="the name of the credentials' user",
    if_refused=f"Make new credentials at {SETTINGS_PAGE}.",
    if_unknown=f"Make new credentials at {SETTINGS_PAGE}.",
    instead="Without an account nothing can be brought to Kaggle.",
)


def username(reporter: Reporter, patience: RetryPolicy = RetryPolicy()) -> str:
    """The name that the credentials belong to, as it stands before the slash of what they own.

    The client knows it once it is signed in: of a key it stands beside it, of a token it is asked.

    Args:
        reporter: told of waiting.
        patience: for how long too many requests are waited out.

    Raises:
        MissingError: there are no credentials, or they are without a name.
        KaggleError: Kaggle refused, fell silent, or could not be reached.
    """
    name = call_with_retry(_USERNAME_CONTEXT, _configured_username, reporter, patience=patience)
    if not name:
        raise MissingError(
            f"The Kaggle credentials are without a name. Received: {name!r}. Make new ones at "
            f"{SETTINGS_PAGE}, or set KAGGLE_USERNAME beside KAGGLE_KEY."
        )
    return name


def _configured_username(api: Any) -> str:
    return str(api.config_values.get(api.CONFIG_NAME_USER) or "")
