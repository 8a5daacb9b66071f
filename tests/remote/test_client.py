"""The real client starts quietly, keeps its time limits, retries, and shows no secret."""

import errno
import os
import socket
import sys
import traceback
from pathlib import Path

import pytest
from requests.adapters import HTTPAdapter

from kagglecxr.core.errors import MissingError
from kagglecxr.core.progress import Silent
from kagglecxr.remote.client import call_with_retry, kaggle_client, username
from kagglecxr.remote.errors import KaggleError, RequestContext
from tests.remote.conftest import KEY, USER, forget_client
from tests.remote.fake_kaggle import (
    FakeKaggle,
    FakeResponse,
    RecordedRequest,
    error_response,
    json_response,
    redirect_response,
    tar_gz,
)
from tests.remote.recording import FakeClock, RecordingReporter

CONTEXT = RequestContext("the thing", "Accept its rules.", "Check its name.", "Attach it.")
TOKEN = "t0ken-of-anne"
MODEL = "mary/densenet/keras/small"
LOOK_UP = "models.ModelApiService/GetModelInstance"
INTROSPECT = "security.OAuthService/IntrospectToken"
DOWNLOAD = "models.ModelApiService/DownloadModelInstanceVersion"
STORAGE = "http://storage.test/thing"
# Constants of the client's ResumableUploadResult
COMPLETE, INCOMPLETE = 1, 3


def look_up(timeout: float = 5.0) -> int:
    with kaggle_client(CONTEXT, timeout) as api:
        version: int = api.model_instance_get(MODEL).version_number
    return version


def failure(kind: type[Exception] = KaggleError, timeout: float = 5.0) -> str:
    with pytest.raises(kind) as caught:
        look_up(timeout)
    return str(caught.value)


def without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, in a process that imports the client for the first time."""
    forget_client()
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")


def keep(kaggle_json: str) -> None:
    """Writes kaggle.json, whose folder the client reads when it is imported."""
    forget_client()
    folder = Path(os.environ["KAGGLE_CONFIG_DIR"])
    folder.mkdir()
    (folder / "kaggle.json").write_text(kaggle_json)


def test_a_call_is_answered_and_nothing_is_printed(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    forget_client()
    monkeypatch.setenv("VERBOSE", "1")
    answer = json_response({"versionNumber": 7})
    newer = {"X-Kaggle-APIVersion": "99.0.0"}
    fake_kaggle.on(LOOK_UP, FakeResponse(200, answer.body, {**answer.headers, **newer}))
    assert look_up() == 7
    assert capfd.readouterr() == ("", "")


def test_without_credentials_a_sentence_says_what_to_do(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    without_credentials(monkeypatch)
    stdin = sys.stdin
    for _ in range(2):
        message = failure(MissingError)
        assert "no Kaggle credentials. Received: none for the thing" in message
        assert "KAGGLE_API_TOKEN" in message
        assert message.endswith("Attach it.")
    assert fake_kaggle.requests == []
    assert capfd.readouterr() == ("", "")
    assert sys.stdin is stdin


def test_without_credentials_stdin_stays_open(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_credentials(monkeypatch)
    (tmp_path / "typed").write_text("y\n")
    with (tmp_path / "typed").open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        failure(MissingError)
        assert input() == "y"


@pytest.mark.parametrize("content", ["{", "{}", '{"username": "mary"}'])
def test_a_kaggle_json_without_credentials_is_none(
    content: str, fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_credentials(monkeypatch)
    keep(content)
    assert "no Kaggle credentials" in failure(MissingError)


def test_a_kaggle_json_is_enough(fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    without_credentials(monkeypatch)
    keep(f'{{"username": "{USER}", "key": "{KEY}"}}')
    fake_kaggle.on(LOOK_UP, json_response({"versionNumber": 7}))
    assert look_up() == 7


def test_a_token_is_enough(fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    without_credentials(monkeypatch)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t0ken")
    fake_kaggle.on(INTROSPECT, json_response({"active": True, "username": USER}))
    fake_kaggle.on(LOOK_UP, json_response({"versionNumber": 7}))
    assert look_up() == 7
    assert fake_kaggle.requests[-1].headers["authorization"] == "Bearer t0ken"


def test_an_old_token_next_to_a_good_key_is_reported(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t0ken")
    fake_kaggle.on(INTROSPECT, error_response(403))
    fake_kaggle.on(LOOK_UP, error_response(401))
    assert (
        "They come from KAGGLE_API_TOKEN, which is taken before KAGGLE_USERNAME with KAGGLE_KEY "
        "(a token goes before a key): remove it if it is old. Make a new token at"
    ) in failure()
    assert fake_kaggle.requests[-1].headers["authorization"] == "Bearer t0ken"


@pytest.mark.parametrize(("status", "wrong"), [(401, "credentials"), (500, "fault of its own")])
def test_a_token_that_cannot_be_checked_is_reported(
    status: int, wrong: str, fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t0ken")
    fake_kaggle.on(INTROSPECT, error_response(status, "t0ken is not known"))
    message = failure()
    assert wrong in message
    assert "t0ken" not in message


def test_a_token_too_long_for_a_path_is_not_reported(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client asks the disk whether the token is a file, and the disk's error repeats it.
    forget_client()
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t0ken" * 100)
    message = failure()
    assert "cannot start" in message
    assert "KAGGLE_API_TOKEN" in message
    assert "t0ken" not in message


def test_a_configuration_folder_that_cannot_be_made_is_reported(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forget_client()
    (tmp_path / "file").touch()
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "file" / "folder"))
    assert "KAGGLE_CONFIG_DIR" in failure()


@pytest.mark.parametrize("library", ["kaggle", "six"])
def test_a_library_that_is_not_there_is_named(
    library: str, fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_client()
    monkeypatch.setitem(sys.modules, library, None)
    assert f"{library} " in failure(MissingError)
    assert "pip install kaggle six" in failure(MissingError)


@pytest.mark.parametrize("call", [INTROSPECT, LOOK_UP])
def test_a_silent_kaggle_is_given_up(
    call: str, fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_client()
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t0ken")
    fake_kaggle.on(INTROSPECT, json_response({"active": True, "username": USER}))
    fake_kaggle.on(call, FakeResponse(mute=True))
    assert "Kaggle does not answer. Received: ReadTimeout for the thing" in failure(timeout=0.1)


def test_without_a_network_a_sentence_says_how_to_go_on(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused.getsockname()[1]}")
        message = failure()
    assert "cannot be reached" in message
    assert message.endswith("Check the network. Attach it.")


def test_a_proxy_s_password_is_not_shown(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://mary:s3cret@127.0.0.1:99999")
    assert "Failed to parse: http://127.0.0.1:99999" in failure()


def test_certificates_that_are_not_there_are_no_fault_of_the_disk(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_client()
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "PROD")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none/certificates.pem")
    try:
        assert "/none/certificates.pem" in failure()
    finally:
        forget_client()


def test_what_is_no_json_is_a_failure_of_the_client(fake_kaggle: FakeKaggle) -> None:
    fake_kaggle.on(
        LOOK_UP, FakeResponse(200, b"<!doctype html>", {"Content-Type": "application/json"})
    )
    assert "The Kaggle client failed. Received: JSONDecodeError for the thing" in failure()


@pytest.mark.parametrize("is_kept", [False, True])
def test_no_secret_is_shown_even_where_kaggle_repeats_it(
    is_kept: bool, fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def repeat(seen: RecordedRequest) -> FakeResponse:
        return error_response(403, f"{KEY} sent as {seen.headers['authorization']}")

    if is_kept:
        without_credentials(monkeypatch)
        keep(f'{{"username": "{USER}", "key": "{KEY}"}}')
    fake_kaggle.on(LOOK_UP, repeat)
    assert failure().startswith(
        "Kaggle refuses access. Received: 403 for the thing (... sent as Basic ...)."
    )


def test_a_signed_address_is_not_reported_nor_shown_among_causes(
    fake_kaggle: FakeKaggle, tmp_path: Path
) -> None:
    fake_kaggle.on(DOWNLOAD, redirect_response(f"{STORAGE}?X-Goog-Signature=s1gnature"))
    fake_kaggle.on(STORAGE, FakeResponse(403))
    with (
        pytest.raises(KaggleError, match=r"403.*storage\.test/thing\)") as caught,
        kaggle_client(CONTEXT) as api,
    ):
        api.model_instance_version_download(f"{MODEL}/1", str(tmp_path))
    assert "s1gnature" not in "".join(traceback.format_exception(caught.value))


def test_an_error_of_the_disk_comes_as_it_is(fake_kaggle: FakeKaggle) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space") as caught, kaggle_client(CONTEXT):
        raise full
    assert caught.value is full


def test_a_connection_lost_beneath_the_client_is_no_error_of_the_disk(
    fake_kaggle: FakeKaggle,
) -> None:
    with pytest.raises(KaggleError, match="cannot be reached"), kaggle_client(CONTEXT):
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


def test_nothing_is_changed_for_the_rest_of_the_process(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_credentials(monkeypatch)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t0ken")
    before = HTTPAdapter.send, sys.stdout, sys.stdin
    during = []

    def respond(seen: RecordedRequest) -> FakeResponse:
        during.append((HTTPAdapter.send, sys.stdout, sys.stdin))
        return error_response(500)

    fake_kaggle.on(INTROSPECT, json_response({"active": True, "username": USER}))
    fake_kaggle.on(LOOK_UP, respond)
    failure()
    assert [*during, (HTTPAdapter.send, sys.stdout, sys.stdin)] == [before, before]
    assert "kaggle" not in sys.modules


def test_an_upload_reports_its_bytes(fake_kaggle: FakeKaggle, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(300_000))
    fake_kaggle.on(STORAGE, FakeResponse(200))
    sent: list[int] = []
    with kaggle_client(CONTEXT) as api:
        api.on_upload = sent.append
        assert api.upload_complete(str(tmp_path / "file"), STORAGE, True) == COMPLETE
    assert sum(sent) == 300_000
    assert fake_kaggle.requests[-1].body == bytes(300_000)


def test_a_silent_upload_is_given_up(
    fake_kaggle: FakeKaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"1")
    fake_kaggle.on(STORAGE, FakeResponse(mute=True))
    monkeypatch.setattr("time.sleep", lambda _: None)
    with kaggle_client(CONTEXT, timeout=0.05) as api:
        api.on_pause = lambda seconds, why: None
        assert api.upload_complete(str(tmp_path / "file"), STORAGE, True) == INCOMPLETE


@pytest.mark.parametrize("found", ["2.0.2", "2.2.4"])
def test_an_old_client_is_refused_with_both_versions(
    found: str, fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: found)
    message = failure(MissingError)
    assert f"version 2.2.5 or newer. Received: {found}." in message
    assert "pip install --upgrade 'kaggle>=2.2.5'" in message
    assert fake_kaggle.requests == []


def too_many(after: str | None = None) -> FakeResponse:
    answer = error_response(429, "slow down")
    return answer if after is None else FakeResponse(429, answer.body, {"Retry-After": after})


def version(reporter: RecordingReporter) -> int:
    found: int = call_with_retry(
        CONTEXT, lambda api: api.model_instance_get(MODEL).version_number, reporter
    )
    return found


def test_a_pause_is_as_long_as_kaggle_says_and_reported(
    fake_kaggle: FakeKaggle, clock: FakeClock
) -> None:
    fake_kaggle.on(LOOK_UP, too_many("7"), too_many("9"), json_response({"versionNumber": 3}))
    reporter = RecordingReporter()
    assert version(reporter) == 3
    assert clock.slept == [7.0, 9.0]
    assert "too many requests for the thing; trying again in 7 s" in reporter.notes[0]


@pytest.mark.parametrize("after", [None, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_without_a_number_of_seconds_pauses_grow_up_to_a_quarter_of_an_hour(
    after: str | None, fake_kaggle: FakeKaggle, clock: FakeClock
) -> None:
    fake_kaggle.on(LOOK_UP, too_many(after))
    with pytest.raises(KaggleError, match=r"too many requests\. Received: 429"):
        version(RecordingReporter())
    assert clock.slept == [15.0, 30.0, 60.0, 120.0, 240.0]
    assert len(fake_kaggle.requests) == 6


def test_a_pause_that_is_too_long_is_not_begun(fake_kaggle: FakeKaggle, clock: FakeClock) -> None:
    fake_kaggle.on(LOOK_UP, too_many("3600"))
    with pytest.raises(KaggleError, match="429"):
        version(RecordingReporter())
    assert clock.slept == []


@pytest.mark.parametrize("fault", [error_response(503, "busy"), FakeResponse(sent=0, body=b"x")])
def test_a_fault_of_kaggle_s_is_asked_about_three_times_more(
    fault: FakeResponse, fake_kaggle: FakeKaggle, clock: FakeClock
) -> None:
    fake_kaggle.on(LOOK_UP, fault)
    reporter = RecordingReporter()
    with pytest.raises(KaggleError, match=r"503|incomplete"):
        version(reporter)
    assert clock.slept == [2.0, 4.0, 8.0]
    assert "for the thing; trying again in 2 s" in reporter.notes[0]
    fake_kaggle.on(LOOK_UP, fault, fault, json_response({"versionNumber": 3}))
    assert version(reporter) == 3


def test_a_refusal_is_reported_at_once(fake_kaggle: FakeKaggle, clock: FakeClock) -> None:
    fake_kaggle.on(LOOK_UP, error_response(403, "no"))
    with pytest.raises(KaggleError, match="403"):
        version(RecordingReporter())
    assert clock.slept == []


def test_what_may_have_had_an_effect_is_not_repeated(
    fake_kaggle: FakeKaggle, clock: FakeClock
) -> None:
    fake_kaggle.on(LOOK_UP, error_response(503, "busy"))
    with pytest.raises(KaggleError, match="503") as caught:
        call_with_retry(CONTEXT, lambda api: api.model_instance_get(MODEL), Silent(), changes=True)
    assert (clock.slept, caught.value.status, caught.value.retry_after) == ([], 503, None)
    assert len(fake_kaggle.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_address_of_storage_that_has_expired_is_asked_for_again(
    status: int, fake_kaggle: FakeKaggle, clock: FakeClock, tmp_path: Path
) -> None:
    fake_kaggle.on(
        DOWNLOAD, redirect_response(f"{STORAGE}?old"), redirect_response(f"{STORAGE}-new?x")
    )
    fake_kaggle.on(STORAGE, FakeResponse(status))
    fake_kaggle.on(f"{STORAGE}-new", FakeResponse(200, tar_gz({"a": b"1"})))
    reporter = RecordingReporter()
    call_with_retry(
        CONTEXT, lambda api: api.model_instance_version_download(f"{MODEL}/1", str(tmp_path)),
        reporter,
    )  # fmt: skip
    assert reporter.notes == [
        "The address of a file on Kaggle's storage is not valid for the thing; trying again in 2 s."
    ]


def upload(path: Path, reporter: RecordingReporter, **options: float) -> int:
    path.write_bytes(b"content")
    found: int = call_with_retry(
        CONTEXT, lambda api: api.upload_complete(str(path), STORAGE, True), reporter,
        changes=True, **options,
    )  # fmt: skip
    return found


def test_an_upload_that_comes_too_often_waits_as_long_as_storage_says(
    fake_kaggle: FakeKaggle, clock: FakeClock, tmp_path: Path
) -> None:
    fake_kaggle.on(STORAGE, too_many("40"), FakeResponse(503, b"", {"Retry-After": "20"}),
                   FakeResponse(200))  # fmt: skip
    reporter = RecordingReporter()
    assert upload(tmp_path / "file", reporter) == COMPLETE
    assert clock.slept == [40.0, 20.0]
    assert "Kaggle's storage has had too many uploads for the thing" in reporter.notes[0]


def test_an_upload_that_would_wait_too_long_ends(
    fake_kaggle: FakeKaggle, clock: FakeClock, tmp_path: Path
) -> None:
    fake_kaggle.on(STORAGE, too_many("40"))
    with pytest.raises(KaggleError, match=r"a pause of 40 s for the thing, 20 s left") as caught:
        upload(tmp_path / "file", RecordingReporter(), max_wait=60.0)
    assert clock.slept == [40.0]
    assert caught.value.is_of_storage


def test_an_upload_that_breaks_off_is_tried_again_aloud(
    fake_kaggle: FakeKaggle, clock: FakeClock, tmp_path: Path
) -> None:
    broken = FakeResponse(sent=0, body=b"x")
    fake_kaggle.on(STORAGE, broken, broken, FakeResponse(200))
    reporter = RecordingReporter()
    assert upload(tmp_path / "file", reporter) == COMPLETE
    assert clock.slept == [2.0, 4.0]
    assert "The upload to Kaggle's storage was interrupted" in reporter.notes[0]


def test_the_name_of_a_key_is_known_without_a_request(fake_kaggle: FakeKaggle) -> None:
    assert username(Silent()) == "mary"
    assert fake_kaggle.requests == []


def test_so_it_is_in_a_file(fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch) -> None:
    without_credentials(monkeypatch)
    keep(f'{{"username": "john", "key": "{KEY}"}}')
    assert username(Silent()) == "john"


def test_kaggle_tells_the_name_of_a_token(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The name next to the key is another one: the token goes first.
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    fake_kaggle.on(INTROSPECT, json_response({"active": True, "username": "anne"}))
    assert username(Silent()) == "anne"
    assert {seen.fields["token"] for seen in fake_kaggle.requests} == {TOKEN}


def test_a_token_without_a_name_falls_back_to_the_key(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    fake_kaggle.on(INTROSPECT, json_response({"active": False}))
    assert username(Silent()) == "mary"


def test_without_credentials_there_is_no_name(
    fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_credentials(monkeypatch)
    with pytest.raises(MissingError, match="no Kaggle credentials"):
        username(Silent())


@pytest.mark.parametrize("status", [401, 500])
def test_a_refused_token_is_not_shown(
    status: int, fake_kaggle: FakeKaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    fake_kaggle.on(INTROSPECT, error_response(status, f"bad {TOKEN}"))
    with pytest.raises(KaggleError, match=f"Received: {status} for the name") as caught:
        username(Silent())
    assert TOKEN not in str(caught.value)


def test_the_name_is_requested_again_after_too_many_requests(
    fake_kaggle: FakeKaggle, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    busy = FakeResponse(429, b"{}", {"Retry-After": "9"})
    fake_kaggle.on(INTROSPECT, busy, busy, json_response({"active": True, "username": "anne"}))
    assert username(Silent()) == "anne"
    assert clock.slept == [9.0, 9.0]
