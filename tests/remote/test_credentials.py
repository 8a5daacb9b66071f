"""The places of credentials, in the order in which the client takes them."""

from pathlib import Path

import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.remote.asking import ask
from kagglecxr.remote.credentials import credential_places
from kagglecxr.remote.failures import Errand
from tests.remote.conftest import KEY, USER, forget_client
from tests.remote.stand_in import StandIn, told

INTROSPECT = "security.OAuthService/IntrospectToken"
LOOK_UP = "models.ModelApiService/GetModelInstance"
ERRAND = Errand("the thing", "", "", "")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_nothing_is_found_where_nothing_is(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    assert credential_places() == []


def test_the_first_place_is_the_one_the_client_signs_in_with(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.on(INTROSPECT, told({"active": True, "username": USER}))
    stand_in.on(LOOK_UP, told({"versionNumber": 7}))
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
        ask(ERRAND, lambda api: api.model_instance_get("mary/densenet/keras/small"), Silent())
        scheme, _, what = stand_in.seen[-1].headers["authorization"].partition(" ")
        sent.append((credential_places()[0].name, scheme if scheme == "Basic" else what))
        leave()
    assert sent == [
        ("KAGGLE_API_TOKEN", "t0ken"),
        (str(home / ".kaggle" / "access_token"), "t0ken-of-file"),
        ("KAGGLE_USERNAME with KAGGLE_KEY", "Basic"),
        (str(home / "kaggle" / "kaggle.json"), "Basic"),
    ]


def test_without_the_variable_the_folder_is_the_client_s(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_CONFIG_DIR")
    monkeypatch.delenv("KAGGLE_KEY")
    new = write(Path.home() / ".config" / "kaggle" / "kaggle.json", "{}")
    assert [place.name for place in credential_places()] == [str(new)]
    old = write(Path.home() / ".kaggle" / "kaggle.json", "{}")
    assert [place.name for place in credential_places()] == [str(old)]
