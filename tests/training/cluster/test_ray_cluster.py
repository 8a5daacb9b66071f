"""Connecting to a cluster, and the errors if there is none or no Ray."""

import contextlib
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.training.cluster.ray_cluster import _task_error, connect
from kagglecxr.training.cluster.task_messages import ClusterError


def test_without_ray_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(MissingError, match=r"pip install 'kagglecxr\[ray\]'"),
        connect("auto"),
    ):
        pass


@pytest.mark.parametrize("address", ["ray://box:10001", "box", "box:http", "/tmp/x:1"])
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(SettingError, match=f"--cluster {address}.*HOST:PORT"), connect(address):
        pass


def test_a_head_that_does_not_answer_is_refused_at_once() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        error = pytest.raises(ClusterError, match=rf"--cluster {address} \(.*ray start")
        with error, connect(address):
            pass


class _Ray(SimpleNamespace):
    """Stands in for Ray."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(ended=0, options={})
        self._error = error

    def init(self, **options: Any) -> None:
        self.options = options
        if self._error:
            raise self._error

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"Alive": True, "Resources": {"CPU": 4.0}},
            {"Alive": False, "Resources": {"CPU": 1.0}},
        ]

    def shutdown(self) -> None:
        self.ended += 1


def test_a_cluster_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", _Ray(ConnectionError("no\nhead")))
    error = pytest.raises(ClusterError, match=r"--cluster auto \(no head\).*ray start")
    with error, connect("auto"):
        pass


def test_a_cluster_is_disconnected_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = _Ray()
    monkeypatch.setitem(sys.modules, "ray", ray)
    with contextlib.suppress(KeyboardInterrupt), connect("local") as cluster:
        assert cluster.resources.cores == 4
        assert cluster.capacity == 1
        raise KeyboardInterrupt
    assert ray.ended == 1
    assert ray.options["log_to_driver"] is False


def test_a_machine_without_the_package_is_named() -> None:
    message = _task_error(RuntimeError("ModuleNotFoundError: No module named 'kagglecxr.training'"))
    assert "pip install 'kagglecxr[ray]==" in message
    assert "died" in _task_error(RuntimeError("Worker died"))
    assert Path(__file__).name not in message
