"""The server is closed to others, and what it cannot start with is told in a sentence."""

import importlib.util
import socket
from pathlib import Path

import pytest
from starlette.formparsers import MultiPartParser
from streamlit import config, net_util
from streamlit.web.server import server_util

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.workspace import Workspace
from kagglecxr.webapp.app_options import LOOPBACK, AppOptions, Site
from kagglecxr.webapp.serve import check_server, close_streamlit, is_loopback, server_words
from kagglecxr.webapp.uploads import MAX_MEGABYTES

SITE = Site("a folder", Workspace(Path("work/x"), "x"), (Path("exports/a b.keras"),), 7)


@pytest.fixture
def used_port() -> int:
    with socket.socket() as tried:
        tried.bind((LOOPBACK, 0))
        port: int = tried.getsockname()[1]
    return port


def settings(options: AppOptions) -> dict[str, list[str]]:
    words = server_words(SITE, options, quiet=False)
    found: dict[str, list[str]] = {}
    for word in words[1 : words.index("--")]:
        name, value = word.removeprefix("--").split("=")
        found.setdefault(name, []).append(value)
    return found


def test_a_site_is_one_word() -> None:
    words = server_words(SITE, AppOptions(), quiet=False)
    assert Site.from_json(words[-1]) == SITE
    assert Path(words[0]).name == "site.py"


def test_by_default_it_is_closed() -> None:
    chosen = settings(AppOptions())
    assert chosen["server.address"] == ["127.0.0.1"]
    assert chosen["server.allowedHosts"] == ["localhost", "127.0.0.1", "::1"]
    assert chosen["browser.gatherUsageStats"] == ["false"]
    assert chosen["server.enableXsrfProtection"] == ["true"]
    assert chosen["client.showErrorDetails"] == ["none"]
    assert chosen["server.headless"] == ["false"]


def test_uploads_stay_in_memory_and_nobody_is_asked_for_an_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 1)
    monkeypatch.setattr(net_util, "get_external_ip", net_util.get_external_ip)
    close_streamlit()
    assert MultiPartParser.spool_max_size > MAX_MEGABYTES * 2**20
    assert net_util.get_external_ip() is None
    assert not server_util.is_url_from_allowed_origins("http://elsewhere.example")


def test_on_another_address_any_name_is_allowed() -> None:
    assert "server.allowedHosts" not in settings(AppOptions(address="0.0.0.0"))


def test_streamlit_knows_every_setting() -> None:
    for name in settings(AppOptions()):
        config.get_option(name)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("localhost", True), ("::1", True),
     ("0.0.0.0", False), ("192.168.1.7", False), ("localhost.example.com", False)],
)  # fmt: skip
def test_what_is_open_to_others(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


def test_a_port_in_use_is_told(used_port: int) -> None:
    check_server(AppOptions(port=used_port))
    with socket.socket() as other:
        other.bind((LOOPBACK, used_port))
        other.listen()
        with pytest.raises(SettingError, match=f"--port {used_port % 65535 + 1}"):
            check_server(AppOptions(port=used_port))


@pytest.mark.parametrize("address", ["198.51.100.1", "no such host"])
def test_an_address_of_another_machine_is_told(address: str, used_port: int) -> None:
    with pytest.raises(SettingError, match=address):
        check_server(AppOptions(address=address, port=used_port))


def test_without_streamlit_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingError, match=r"pip install 'kagglecxr\[app\]'"):
        check_server(AppOptions())
