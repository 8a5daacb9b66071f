"""Whose the credentials are, wherever they come from."""

import json
import os
from pathlib import Path

import pytest

from kagglecxr.core.errors import MissingError
from kagglecxr.core.progress import Silent
from kagglecxr.remote.client import RetryPolicy, username
from kagglecxr.remote.errors import KaggleError
from tests.remote.conftest import KEY, forget_client
from tests.remote.fake_kaggle import FakeKaggle, FakeResponse, error_response, json_response

INTROSPECT = "security.OAuthService/IntrospectToken"
TOKEN = "t0ken-of-anne"


@pytest.fixture(autouse=True)
def first_import(fake_kaggle: FakeKaggle) -> None:
    """Each test is the client's first: it keeps what it read while it was imported."""
    forget_client()


def without_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")


def test_a_key_stands_beside_its_name_and_kaggle_is_not_asked(fake_kaggle: FakeKaggle) -> None:
    assert username(Silent()) == "mary"
    assert fake_kaggle.seen == []


def test_so_it_does_in_a_file(fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    without_key(monkeypatch)
    folder = Path(os.environ["KAGGLE_CONFIG_DIR"])
    folder.mkdir()
    (folder / "kaggle.json").write_text(json.dumps({"username": "john", "key": KEY}))
    assert username(Silent()) == "john"


def test_of_a_token_kaggle_is_asked(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The name beside the key is another one: the token goes first.
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    fake_kaggle.on(INTROSPECT, json_response({"active": True, "username": "anne"}))
    assert username(Silent()) == "anne"
    assert {seen.fields["token"] for seen in fake_kaggle.seen} == {TOKEN}


def test_a_token_without_a_name_falls_back_to_the_key(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    fake_kaggle.on(INTROSPECT, json_response({"active": False}))
    assert username(Silent()) == "mary"


def test_without_credentials_a_sentence_says_so(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_key(monkeypatch)
    with pytest.raises(MissingError, match="no Kaggle credentials"):
        username(Silent())


@pytest.mark.parametrize("status", [401, 500])
def test_a_refusal_is_a_sentence_without_the_token(
    status: int, fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    fake_kaggle.on(INTROSPECT, error_response(status, f"bad {TOKEN}"))
    with pytest.raises(KaggleError, match=f"Received: {status} for the name") as caught:
        username(Silent())
    assert TOKEN not in str(caught.value)


def test_too_many_requests_are_waited_out(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    busy = FakeResponse(429, b"{}", {"Retry-After": "9"})
    fake_kaggle.on(INTROSPECT, busy, busy, json_response({"active": True, "username": "anne"}))
    slept: list[float] = []
    assert username(Silent(), RetryPolicy(sleep=slept.append)) == "anne"
    assert set(slept) <= {9.0}
