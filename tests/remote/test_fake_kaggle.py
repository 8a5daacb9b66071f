"""Nothing that the client does in these tests leaves this machine."""

import pytest

from kagglecxr.remote.client import kaggle_client
from kagglecxr.remote.errors import KaggleError, RequestContext
from tests.remote.conftest import forget_client
from tests.remote.fake_kaggle import FakeKaggle


def look_up() -> None:
    """A call of the client as in a process of its own."""
    forget_client()
    context = RequestContext("the thing", "", "", "")
    with pytest.raises(KaggleError, match="cannot be reached"), kaggle_client(context) as api:
        api.model_instance_get("mary/densenet/keras/small")


@pytest.mark.parametrize(
    ("proxy", "host"),
    [("http://192.0.2.1:9", "192.0.2.1"), ("http://proxy.example:9", "proxy.example")],
)
def test_a_client_that_would_leave_this_machine_is_caught(
    proxy: str,
    host: str,
    fake_kaggle: FakeKaggle,
    strayed: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    look_up()
    assert strayed == [host]
    strayed.clear()


def test_the_real_kaggle_is_out_of_reach(
    fake_kaggle: FakeKaggle, strayed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "PROD")
    look_up()
    # Its name goes no further than the fake Kaggle, which leads nowhere.
    assert [(seen.method, seen.address) for seen in fake_kaggle.requests] == [
        ("CONNECT", "api.kaggle.com:443")
    ]
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name)
    look_up()
    assert strayed == ["api.kaggle.com"]
    strayed.clear()
