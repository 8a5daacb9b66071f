"""Turns the Kaggle client's exceptions into sentences that hold no credentials."""

import base64
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from kagglecxr.core.errors import CxrError
from kagglecxr.remote.credentials import credential_sources

PAGE = "https://www.kaggle.com"
SETTINGS_PAGE = f"{PAGE}/settings"
_HOSTS = ("api.kaggle.com", "www.kaggle.com", "localhost", None)
"""Where Kaggle itself is; files are on hosts of others."""
REPEATS, FIRST_REPEAT = 3, 2.0
"""How often what may pass is tried again, and seconds before that; each further pause doubles."""
RUN_AGAIN = "Run the same command again"


class KaggleError(CxrError, ConnectionError):
    """Kaggle refused a request, did not answer it, or could not be reached.

    Attributes:
        status: the HTTP status of the response; None where there was none.
        retry_after: seconds after which the server wants the request again, where it says so.
        may_pass: whether the same request may succeed a moment later.
        is_of_storage: whether only the transfer of a file failed, so that nothing has changed.
    """

    def __init__(
        self,
        sentence: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        may_pass: bool = False,
        is_of_storage: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after = retry_after
        self.may_pass = may_pass
        self.is_of_storage = is_of_storage


@dataclass(frozen=True)
class RequestContext:
    """What is requested from Kaggle, and what the user can do where the request fails.

    Attributes:
        what: the name of what is requested.
        if_refused: what to do where access is refused.
        if_unknown: what to do where Kaggle knows nothing of that name.
        instead: how to go on without network or credentials.
    """

    what: str
    if_refused: str
    if_unknown: str
    instead: str


def competition_context(slug: str, what: str) -> RequestContext:
    """The context of a request for `what` that only those who joined a competition may make."""
    page = f"{PAGE}/competitions/{slug}"
    return RequestContext(
        what=f"{what} of {slug}",
        if_refused=f"Open {page}/rules, signed in as the credentials' user, join and accept the "
        f"rules; if there is no such page, the slug is wrong.",
        if_unknown=f"Check the slug against the address of the competition's page: {page}",
        instead="Without an account: python -m kagglecxr.submit COMPETITION --local.",
    )


def kernel_context(kernel: str, what: str) -> RequestContext:
    """The context of a request for something of a kernel, `owner/slug`."""
    page = f"{PAGE}/code/{kernel}"
    return RequestContext(
        what=f"{what} of {kernel}",
        if_refused=f"Check the name against the address of the kernel's page, {page}, and that the "
        "credentials are its owner's.",
        if_unknown=f"Check that {page} is there; a kernel has to be pushed first: "
        "python -m kagglecxr.kernel push FOLDER",
        instead="The folder can be uploaded on Kaggle's page as well: File, Import notebook.",
    )


def to_kaggle_error(error: Exception, context: RequestContext) -> KaggleError:
    """Turns an exception of the client, of requests or of urllib3 into one sentence."""
    text = redact(error)
    text = text and f" ({text})"
    response = getattr(error, "response", None)
    if response is None:
        wrong, advice = _describe_exception(error, context)
        return KaggleError(
            f"{wrong}. Received: {type(error).__name__} for {context.what}{text}. {advice}",
            may_pass=_is_dropped(error),
        )
    status = response.status_code
    is_of_storage = urlsplit(str(response.url)).hostname not in _HOSTS
    has_expired = is_of_storage and status in (401, 403, 404)
    if has_expired:
        # Signed addresses are valid for some minutes, whoever asks.
        wrong, advice = "The address of a file on Kaggle's storage is not valid", f"{RUN_AGAIN}."
    else:
        wrong, advice = _describe_status(status, context)
    try:
        retry_after = float(response.headers.get("Retry-After"))
    except (TypeError, ValueError):
        # Absent, or a date, which the client's clock may disagree with.
        retry_after = None
    return KaggleError(
        f"{wrong}. Received: {status} for {context.what}{text}. {advice}",
        status=status,
        retry_after=retry_after,
        may_pass=has_expired or status >= 500,
        is_of_storage=is_of_storage,
    )


def _is_dropped(error: Exception) -> bool:
    """Whether a connection broke: one that stays silent would be as silent again."""
    is_silent = isinstance(error, requests.Timeout) or "Read timed out" in str(error)
    broken = requests.ConnectionError, ConnectionError, requests.exceptions.ChunkedEncodingError
    return not is_silent and isinstance(error, broken)


def _describe_status(status: int, context: RequestContext) -> tuple[str, str]:
    if status >= 500:
        return "Kaggle has a fault of its own", f"{RUN_AGAIN} in some minutes."
    known = {
        401: (
            "Kaggle does not accept the credentials",
            f"{_describe_credentials()}Make a new token at {SETTINGS_PAGE}.",
        ),
        403: ("Kaggle refuses access", context.if_refused),
        404: ("Kaggle does not know what was asked for", context.if_unknown),
        429: ("Kaggle has had too many requests", f"{RUN_AGAIN} in some minutes."),
    }
    return known.get(status, ("Kaggle does not accept the request", context.if_unknown))


def _describe_credentials() -> str:
    """Says where the refused credentials were found, and which others they take precedence over."""
    sources = credential_sources()
    if not sources:
        return ""
    first, *others = sources
    found = f"They come from {first.name}"
    if others:
        kind = "a token goes before a key" if first.is_token else "the client looks there first"
        names = " and ".join(source.name for source in others)
        found += f", which is taken before {names} ({kind}): remove it if it is old"
    return f"{found}. "


def _describe_exception(error: Exception, context: RequestContext) -> tuple[str, str]:
    # Once a response has begun, requests calls a timeout in it a ConnectionError.
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return "Kaggle does not answer", f"{RUN_AGAIN}, or later. {context.instead}"
    cut = isinstance(error, requests.exceptions.ChunkedEncodingError)
    if cut or "does not match expected size" in str(error):
        return "A download from Kaggle is incomplete", f"{RUN_AGAIN}."
    if isinstance(error, requests.ConnectionError | ConnectionError):
        return "Kaggle cannot be reached", f"Check the network. {context.instead}"
    advice = f"{context.if_unknown} If it is right, run: pip install --upgrade kaggle"
    return "The Kaggle client failed", advice


def redact(error: Exception) -> str:
    """The start of an exception's text, on one line and without credentials."""
    text = " ".join(str(error).split())
    for secret in _secrets(error):
        text = text.replace(secret, "...")
    # A signed address is a permission by what follows its "?"; a proxy's may hold a password.
    return re.sub(r"\?\S+|(?<=//)[^/\s]+@", "", text)[:200]


def _secrets(error: Exception) -> Iterator[str]:
    yield from filter(None, map(os.environ.get, ("KAGGLE_API_TOKEN", "KAGGLE_KEY")))
    request = getattr(error, "request", None)
    headers = {} if request is None else request.headers
    scheme, _, sent = headers.get("Authorization", "").partition(" ")
    if sent:
        yield sent
    if scheme == "Basic":
        yield base64.b64decode(sent).decode(errors="replace").partition(":")[2]
