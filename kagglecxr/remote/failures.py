"""What the Kaggle client's exceptions mean to a user, without any credentials in them."""

import base64
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import requests

from kagglecxr.core.errors import CxrError
from kagglecxr.remote.credentials import credential_places

SETTINGS_PAGE = "https://www.kaggle.com/settings"
AGAIN = "Run the same command again"


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
class Errand:
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


def explain(error: Exception, errand: Errand) -> KaggleError:
    """An exception of the client, of requests or of urllib3 as one sentence."""
    response = getattr(error, "response", None)
    if response is None:
        wrong, advice = _without_answer(error, errand)
        received = f"{type(error).__name__} for {errand.what}"
    else:
        wrong, advice = _of_status(response.status_code, errand)
        received = f"{response.status_code} for {errand.what}"
    text = harmless(error)
    return KaggleError(
        f"{wrong}. Received: {received}{text and f' ({text})'}. {advice}",
        status=None if response is None else response.status_code,
        retry_after=None if response is None else _seconds(response.headers.get("Retry-After")),
    )


def _seconds(retry_after: str | None) -> float | None:
    """The header in seconds; its other form, a date, is as good as none."""
    try:
        return float(retry_after or "")
    except ValueError:
        return None


def _of_status(status: int, errand: Errand) -> tuple[str, str]:
    known = {
        401: (
            "Kaggle does not accept the credentials",
            f"{_which_won()}Make a new token at {SETTINGS_PAGE}.",
        ),
        403: ("Kaggle refuses access", errand.if_refused),
        404: ("Kaggle does not know what was asked for", errand.if_unknown),
        429: ("Kaggle has had too many requests", f"{AGAIN} in some minutes."),
    }
    if status >= 500:
        return "Kaggle has a fault of its own", f"{AGAIN} in some minutes."
    return known.get(status, ("Kaggle does not accept the request", errand.if_unknown))


def _which_won() -> str:
    """Where the refused credentials were found, and what they stood before."""
    places = credential_places()
    if not places:
        return ""
    first, *others = places
    told = f"They come from {first.name}"
    if others:
        kind = "a token goes before a key" if first.is_token else "the client looks there first"
        others_told = " and ".join(place.name for place in others)
        told += f", which is taken before {others_told} ({kind}): remove it if it is old"
    return f"{told}. "


def _without_answer(error: Exception, errand: Errand) -> tuple[str, str]:
    # Once an answer has begun, requests calls its end in silence a ConnectionError.
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return "Kaggle fell silent", f"{AGAIN}, or later. {errand.instead}"
    cut = isinstance(error, requests.exceptions.ChunkedEncodingError)
    if cut or "does not match expected size" in str(error):
        return "A download from Kaggle did not arrive whole", f"{AGAIN}."
    if isinstance(error, requests.ConnectionError | ConnectionError):
        return "Kaggle cannot be reached", f"Check the network. {errand.instead}"
    advice = f"{errand.if_unknown} If it is right, run: pip install --upgrade kaggle"
    return "The Kaggle client failed", advice


def harmless(error: Exception) -> str:
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
