"""Turns the Kaggle client's exceptions into sentences that hold no credentials."""

import base64
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import requests

from kagglecxr.core.errors import CxrError
from kagglecxr.remote.credentials import credential_sources

SETTINGS_PAGE = "https://www.kaggle.com/settings"
RUN_AGAIN = "Run the same command again"


class KaggleError(CxrError, ConnectionError):
    """Kaggle, or the way to it, did not give what was asked for.

    Attributes:
        status: of its answer; None where there was none.
        retry_after: seconds after which it wants to be asked again, where it says so.
    """

    def __init__(
        self, sentence: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True)
class RequestContext:
    """What is asked of Kaggle, and what a user can do when it is not given.

    Attributes:
        what: its name.
        if_refused: what to do where access is refused.
        if_unknown: what to do where Kaggle knows nothing of that name.
        instead: how to go on without network or credentials.
    """

    what: str
    if_refused: str
    if_unknown: str
    instead: str


def to_kaggle_error(error: Exception, errand: RequestContext) -> KaggleError:
    """An exception of the client, of requests or of urllib3 as one sentence."""
    response = getattr(error, "response", None)
    if response is None:
        wrong, advice = _describe_exception(error, errand)
        received = f"{type(error).__name__} for {errand.what}"
    else:
        wrong, advice = _describe_status(response.status_code, errand)
        received = f"{response.status_code} for {errand.what}"
    text = redact(error)
    return KaggleError(
        f"{wrong}. Received: {received}{text and f' ({text})'}. {advice}",
        status=None if response is None else response.status_code,
        retry_after=None
        if response is None
        else _retry_seconds(response.headers.get("Retry-After")),
    )


def _retry_seconds(retry_after: str | None) -> float | None:
    """The header in seconds; its other form, a date, is as good as none."""
    try:
        return float(retry_after or "")
    except ValueError:
        return None


def _describe_status(status: int, errand: RequestContext) -> tuple[str, str]:
    known = {
        401: (
            "Kaggle does not accept the credentials",
            f"{_describe_credentials()}Make a new token at {SETTINGS_PAGE}.",
        ),
        403: ("Kaggle refuses access", errand.if_refused),
        404: ("Kaggle does not know what was asked for", errand.if_unknown),
        429: ("Kaggle has had too many requests", f"{RUN_AGAIN} in some minutes."),
    }
    if status >= 500:
        return "Kaggle has a fault of its own", f"{RUN_AGAIN} in some minutes."
    return known.get(status, ("Kaggle does not accept the request", errand.if_unknown))


def _describe_credentials() -> str:
    """Where the refused credentials were found, and what they stood before."""
    places = credential_sources()
    if not places:
        return ""
    first, *others = places
    told = f"They come from {first.name}"
    if others:
        kind = "a token goes before a key" if first.is_token else "the client looks there first"
        others_told = " and ".join(place.name for place in others)
        told += f", which is taken before {others_told} ({kind}): remove it if it is old"
    return f"{told}. "


def _describe_exception(error: Exception, errand: RequestContext) -> tuple[str, str]:
    # Once an answer has begun, requests calls its end in silence a ConnectionError.
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return "Kaggle fell silent", f"{RUN_AGAIN}, or later. {errand.instead}"
    cut = isinstance(error, requests.exceptions.ChunkedEncodingError)
    if cut or "does not match expected size" in str(error):
        return "A download from Kaggle did not arrive whole", f"{RUN_AGAIN}."
    if isinstance(error, requests.ConnectionError | ConnectionError):
        return "Kaggle cannot be reached", f"Check the network. {errand.instead}"
    advice = f"{errand.if_unknown} If it is right, run: pip install --upgrade kaggle"
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


PAGE = "https://www.kaggle.com"
_LOCAL_HINT = "Without an account: python -m kagglecxr.submit COMPETITION --local."


def competition_context(slug: str, what: str) -> RequestContext:
    """Something of a competition that only those who joined it may have.

    Args:
        slug: the last part of its page's address.
        what: is asked for.
    """
    page = f"{PAGE}/competitions/{slug}"
    return RequestContext(
        what=f"{what} of {slug}",
        if_refused=f"Open {page}/rules, signed in as the credentials' user, join and accept the "
        f"rules; if there is no such page, the slug is wrong.",
        if_unknown=f"Check the slug against the address of the competition's page: {page}",
        instead=_LOCAL_HINT,
    )


def kernel_context(kernel: str, what: str) -> RequestContext:
    """Something of a kernel, `owner/slug`."""
    page = f"{PAGE}/code/{kernel}"
    return RequestContext(
        what=f"{what} of {kernel}",
        if_refused=f"Check the name against the address of the kernel's page, {page}, and that the "
        "credentials are its owner's.",
        if_unknown=f"Check that {page} is there; a kernel has to be pushed first: "
        "python -m kagglecxr.kernel push FOLDER",
        instead="The folder can be uploaded on Kaggle's page as well: File, Import notebook.",
    )
