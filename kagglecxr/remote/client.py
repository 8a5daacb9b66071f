"""Access to Kaggle: the official client with time limits, retries and plain errors."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from time import sleep
from typing import Any, TypeVar

import requests
from packaging.version import Version

from kagglecxr.core.errors import CxrError, MissingError
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.errors import (
    FIRST_REPEAT,
    REPEATS,
    RUN_AGAIN,
    SETTINGS_PAGE,
    KaggleError,
    RequestContext,
    redact,
    to_kaggle_error,
)

TIMEOUT = 60.0
"""Seconds of silence after which a connection is given up."""
CLIENT_VERSION = Version("2.2.5")
"""The oldest version of the client whose downloads, uploads and lists can be relied on."""
TOO_MANY_REQUESTS = 429
Result = TypeVar("Result")

_USERNAME_CONTEXT = RequestContext(
    what="the name of the credentials' user",
    if_refused=f"Make new credentials at {SETTINGS_PAGE}.",
    if_unknown=f"Make new credentials at {SETTINGS_PAGE}.",
    instead="Nothing can be uploaded to Kaggle without an account.",
)


@dataclass(frozen=True)
class RetryPolicy:
    """How long refusals for too many requests are waited out.

    Attributes:
        max_wait: seconds, the sum of all pauses.
        first: seconds of the first pause where Kaggle names none; each further one doubles.
    """

    max_wait: float = 900.0
    first: float = 15.0


RETRY_POLICY = RetryPolicy()


@dataclass(frozen=True)
class PollPolicy:
    """How long, and how often, something that Kaggle works on is looked at.

    Attributes:
        max_wait: seconds, the sum of all pauses.
        first: seconds of the first pause; each further one is half as long again.
        longest: seconds, the upper bound of a pause.
    """

    max_wait: float = 1800.0
    first: float = 5.0
    longest: float = 60.0

    def pauses(self) -> Iterator[float]:
        """Sleeps between any two items and yields for how long, until the time is over."""
        pause, waited = self.first, 0.0
        yield 0.0
        while waited < self.max_wait:
            pause = min(pause, self.longest, self.max_wait - waited)
            sleep(pause)
            waited += pause
            yield pause
            pause *= 1.5


def call_with_retry(
    context: RequestContext,
    call: Callable[[Any], Result],
    reporter: Reporter,
    *,
    timeout: float | None = None,
    changes: bool = False,
    max_wait: float | None = None,
) -> Result:
    """Calls Kaggle, and calls again after a pause where that may help.

    A call is repeated where Kaggle has had too many requests and, unless it `changes` something
    there, after a fault of Kaggle's own or a dropped connection. Each pause is reported.

    Args:
        context: what is requested, for the error sentence.
        call: takes a signed-in `QuietKaggleApi`; it is called from its start each time.
        reporter: notes the pauses.
        timeout: seconds of silence after which a connection is given up; defaults to `TIMEOUT`.
        changes: whether it may have had an effect on Kaggle although no response arrived.
        max_wait: seconds, the sum of all pauses; defaults to that of `RETRY_POLICY`.

    Raises:
        CxrError: as `kaggle_client` does.
    """
    pauses = _Pauses(
        context.what, reporter, RETRY_POLICY.max_wait if max_wait is None else max_wait
    )
    while True:
        try:
            with kaggle_client(context, timeout) as api:
                api.on_pause = pauses.pause
                return call(api)
        except KaggleError as error:
            if not pauses.before_another_call(error, changes):
                raise


class _Pauses:
    """The pauses of one call, which are reported and end when their time is over."""

    def __init__(self, what: str, reporter: Reporter, seconds: float) -> None:
        self._what, self._reporter, self._left = what, reporter, seconds
        self._next, self._repeats = RETRY_POLICY.first, 0

    def pause(self, seconds: float, why: str) -> None:
        """Waits, or raises a KaggleError if that would take too long."""
        if seconds > self._left:
            raise KaggleError(
                f"{why}, and there is no time left to try again. Received: a pause of "
                f"{seconds:.0f} s for {self._what}, {self._left:.0f} s left. {RUN_AGAIN} later.",
                is_of_storage=True,
            )
        self._reporter.note(f"{why} for {self._what}; trying again in {seconds:.0f} s.")
        sleep(seconds)
        self._left -= seconds

    def before_another_call(self, error: KaggleError, changes: bool) -> bool:
        """Waits if the call may be repeated and there is time; returns whether it was done."""
        if error.status == TOO_MANY_REQUESTS:
            wanted = self._next if error.retry_after is None else error.retry_after
            why = "Kaggle has had too many requests"
            self._next *= 2
        elif error.may_pass and (error.is_of_storage or not changes):
            if self._repeats == REPEATS:
                return False
            wanted = FIRST_REPEAT * 2**self._repeats
            why = str(error).partition(". Received:")[0]
            self._repeats += 1
        else:
            return False
        if wanted > self._left:
            return False
        self.pause(wanted, why)
        return True


def username(reporter: Reporter) -> str:
    """The user whose credentials these are: the owner in `owner/slug` of what they upload.

    Raises:
        MissingError: there are no credentials, or they hold no user name.
    """

    def read(api: Any) -> str:
        # Signing in with a token has asked Kaggle for the name; a key is kept with its name.
        return str(api.config_values.get(api.CONFIG_NAME_USER) or "")

    name = call_with_retry(_USERNAME_CONTEXT, read, reporter)
    if not name:
        raise MissingError(
            f"The Kaggle credentials hold no user name. Received: {name!r}. Make new ones at "
            f"{SETTINGS_PAGE}, or set KAGGLE_USERNAME as well as KAGGLE_KEY."
        )
    return name


@contextlib.contextmanager
def kaggle_client(context: RequestContext, timeout: float | None = None) -> Iterator[Any]:
    """Signs in to Kaggle, and turns what fails in the block into `KaggleError`.

    After `timeout` seconds of silence a connection is given up; it defaults to `TIMEOUT`.

    Yields:
        A `QuietKaggleApi`.

    Raises:
        MissingError: the client or the credentials are missing, or the client is too old.
        KaggleError: Kaggle refused, did not answer, or could not be reached.
        OSError: an error of the disk, unchanged.
    """
    try:
        yield _sign_in(context, TIMEOUT if timeout is None else timeout)
    except CxrError:
        raise
    except Exception as error:
        if _is_disk_error(error):
            raise
        # A cause may hold a token or a signed address, and notebooks show and keep causes.
        raise to_kaggle_error(error, context) from None


def _sign_in(context: RequestContext, timeout: float) -> Any:
    try:
        _check_version()
        from kagglecxr.remote.kaggle_api import QuietKaggleApi

        api = QuietKaggleApi(timeout)
        if api.sign_in():
            return api
    except ImportError as error:
        raise MissingError(
            f"The Kaggle client cannot be imported. Received: {error}. Run: pip install kaggle six"
        ) from None
    except OSError as error:
        if not _is_disk_error(error):
            raise
        raise KaggleError(
            f"The Kaggle client cannot start. Received: {redact(error)}. Name a folder it may "
            "write to with KAGGLE_CONFIG_DIR, and check KAGGLE_API_TOKEN."
        ) from None
    raise MissingError(
        f"There are no Kaggle credentials. Received: none for {context.what}. Make a token at "
        f"{SETTINGS_PAGE} and set KAGGLE_API_TOKEN, or put its kaggle.json into ~/.kaggle. "
        f"{context.instead}"
    )


def _check_version() -> None:
    """Refuses a client that is too old, such as the one in Kaggle's image."""
    found = metadata.version("kaggle")
    if Version(found) < CLIENT_VERSION:
        raise MissingError(
            f"Kaggle's client has to be version {CLIENT_VERSION} or newer. Received: {found}. Run: "
            f"pip install --upgrade 'kaggle>={CLIENT_VERSION}' six"
        )


def _is_disk_error(error: Exception) -> bool:
    # Errors of the network are OSErrors too.
    of_network = isinstance(error, requests.RequestException | ConnectionError | TimeoutError)
    return isinstance(error, OSError) and error.errno is not None and not of_network
