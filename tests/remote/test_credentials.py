"""The places of credentials, in the order in which the client takes them."""

from pathlib import Path

import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.remote.client import call_with_retry
from kagglecxr.remote.credentials import check_credentials, credential_sources
from kagglecxr.remote.errors import RequestContext
from tests.remote.conftest import KEY, USER, forget_client
from tests.remote.fake_kaggle import FakeKaggle, json_response

INTROSPECT = "security.OAuthService/IntrospectToken"
LOOK_UP = "models.ModelApiService/GetModelInstance"
CONTEXT = RequestContext("the thing", "", "", "")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_nothing_is_found_where_nothing_is(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    assert credential_sources() == []


def test_the_first_place_is_the_one_the_client_signs_in_with(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_kaggle.on(INTROSPECT, json_response({"active": True, "username": USER}))
    fake_kaggle.on(LOOK_UP, json_response({"versionNumber": 7}))
    home = Path.home()
    write(home / ".kaggle" / "access_token", "t0ken-of-file")
    write(home / "kaggle" / "kaggle.json", f'{{"username": "{USER}", "key": "{KEY}-of-file"}}')
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t0ken")
    sent = []
    for leave in (
        lambda: monkeypatch.delenv("KAGGLE_API_TOKEN"),
        (home / ".kaggle" / "access_token").unlink,
        lambda: monkeypatch.delenv("KAGGLE_KEY"),
        lambda: None,
    ):
        forget_client()
        call_with_retry(
            CONTEXT, lambda api: api.model_instance_get("mary/densenet/keras/small"), Silent()
        )
        scheme, _, what = fake_kaggle.requests[-1].headers["authorization"].partition(" ")
        sent.append((credential_sources()[0].name, scheme if scheme == "Basic" else what))
        leave()
    assert sent == [
        ("KAGGLE_API_TOKEN", "t0ken"),
        (str(home / ".kaggle" / "access_token"), "t0ken-of-file"),
        ("KAGGLE_USERNAME with KAGGLE_KEY", "Basic"),
        (str(home / "kaggle" / "kaggle.json"), "Basic"),
    ]


def test_without_the_variable_the_folder_is_the_client_s(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_CONFIG_DIR")
    monkeypatch.delenv("KAGGLE_KEY")
    new = write(Path.home() / ".config" / "kaggle" / "kaggle.json", "{}")
    assert [place.name for place in credential_sources()] == [str(new)]
    old = write(Path.home() / ".kaggle" / "kaggle.json", "{}")
    assert [place.name for place in credential_sources()] == [str(old)]


def test_doctor_sees_credentials_and_shows_none(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    assert not check_credentials().is_ok
    monkeypatch.setenv("KAGGLE_API_TOKEN", "secret-token")
    write(Path.home() / ".kaggle" / "access_token", "secret-key")
    account = check_credentials()
    assert account.is_ok
    assert "KAGGLE_API_TOKEN is used" in account.advice
    assert "secret" not in account.found + account.advice
