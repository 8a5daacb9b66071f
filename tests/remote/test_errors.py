"""Each exception the client lets through is reported as what it means."""

import errno

import pytest
import requests
from urllib3.exceptions import ReadTimeoutError

from kagglecxr.core.errors import CxrError
from kagglecxr.remote.errors import KaggleError, RequestContext, to_kaggle_error

CONTEXT = RequestContext("the thing", "Accept its rules.", "Check its name.", "Attach it.")


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (requests.ConnectTimeout("no answer"), "Kaggle does not answer"),
        (requests.ReadTimeout("no answer"), "Kaggle does not answer"),
        # An answer that ends in silence
        (
            requests.ConnectionError(ReadTimeoutError(None, "", "Read timed out.")),  # type: ignore[arg-type]
            "Kaggle does not answer",
        ),
        (requests.ConnectionError("no route"), "Kaggle cannot be reached"),
        (requests.exceptions.SSLError("bad certificate"), "Kaggle cannot be reached"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "Kaggle cannot be reached"),
        (requests.exceptions.ChunkedEncodingError("cut"), "is incomplete"),
        (
            ValueError("Downloaded file size (1) does not match expected size (2)"),
            "is incomplete",
        ),
        (ValueError("something else"), "The Kaggle client failed"),
        (KeyError("MODELFRAMEWORKX"), "The Kaggle client failed"),
        (requests.HTTPError("without an answer"), "The Kaggle client failed"),
    ],
)
def test_an_exception_is_reported_as_what_it_means(error: Exception, wrong: str) -> None:
    message = str(to_kaggle_error(error, CONTEXT))
    assert f"{wrong}. Received: {type(error).__name__} for the thing ({error})." in message


def test_an_exception_that_says_nothing_gets_no_empty_brackets() -> None:
    assert "Received: ValueError for the thing. " in str(to_kaggle_error(ValueError(), CONTEXT))


def test_a_long_text_is_cut() -> None:
    assert len(str(to_kaggle_error(ValueError("long " * 1000), CONTEXT))) < 400


def test_it_is_a_user_s_mistake_and_one_of_the_network() -> None:
    assert issubclass(KaggleError, CxrError)
    assert issubclass(KaggleError, ConnectionError)
