"""The real Kaggle client, talking to a fake one, with no way off this machine."""

import ipaddress
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kagglecxr.remote import client
from tests.remote.fake_kaggle import FakeKaggle
from tests.remote.recording import FakeClock

USER, KEY = "mary", "k3y-of-mary"


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture
def strayed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Refuses every connection and every name that is not this machine's; none may be left over."""
    hosts: list[str] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: tuple[str, int]) -> None:
        if self.family != socket.AF_UNIX and not is_loopback(address[0]):
            hosts.append(address[0])
            raise ConnectionRefusedError(f"not this machine: {address[0]}")
        connect(self, address)

    def guarded_look_up(host: str, *arguments: object, **options: object) -> object:
        if not is_loopback(host):
            # An address needs no asking outside; whether it may be reached is seen on connecting.
            try:
                ipaddress.ip_address(host)
            except ValueError:
                hosts.append(host)
                raise socket.gaierror(f"not this machine: {host}") from None
        return look_up(host, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield hosts
    assert hosts == []


def forget_client() -> None:
    """Lets the next import of the client be the first: it reads its environment only then."""
    for name in [*sys.modules]:
        if name.split(".")[0] in ("kaggle", "kagglesdk") or name == "kagglecxr.remote.kaggle_api":
            del sys.modules[name]


@pytest.fixture(scope="module")
def own_client() -> Iterator[None]:
    """No client imported elsewhere, which may be set on the real Kaggle; none left behind."""
    forget_client()
    yield
    forget_client()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The time in which the client's retries and polls wait: it passes at once."""
    clock = FakeClock()
    monkeypatch.setattr("kagglecxr.remote.client.sleep", clock.sleep)
    return clock


@pytest.fixture
def fake_kaggle(
    own_client: None,
    strayed: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FakeKaggle]:
    """The fake Kaggle, a home of its own, a username with a key, and pauses that pass at once."""
    if vars(client)["sleep"] is time.sleep:
        monkeypatch.setattr("kagglecxr.remote.client.sleep", lambda seconds: None)
    for name in [*os.environ]:
        if name.startswith("KAGGLE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / "kaggle"))
    # Anything but LOCALHOST, misspelt or not, means the real Kaggle to the client.
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    with FakeKaggle().running() as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, server.address)
        yield server
