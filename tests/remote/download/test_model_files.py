"""A model's files arrive whole, once, and from nowhere but Kaggle; else a sentence says why."""

import base64
import errno
import gzip
from pathlib import Path

import pytest

from kagglecxr.core import kaggle_model
from kagglecxr.core.errors import DataError
from kagglecxr.core.kaggle_model import KaggleModel
from kagglecxr.core.progress import Silent
from kagglecxr.remote.download import model_files
from kagglecxr.remote.download.model_files import fetch_model
from kagglecxr.remote.errors import KaggleError
from tests.remote.conftest import KEY, USER
from tests.remote.fake_kaggle import (
    STORAGE,
    FakeKaggle,
    FakeResponse,
    RecordedRequest,
    error_response,
    json_response,
    redirect_response,
    stored_file,
    tar_gz,
)
from tests.remote.recording import FakeClock, RecordingReporter

HANDLE = KaggleModel.parse("kaggle://keras/densenet/keras/densenet_121/3")
NEWEST = KaggleModel.parse("kaggle://keras/densenet/keras/densenet_121")
DOWNLOAD = "models.ModelApiService/DownloadModelInstanceVersion"
LOOK_UP = "models.ModelApiService/GetModelInstance"
FILES = {"config.json": b"{}", "deep/model.weights.h5": bytes(range(256)) * 9000}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def kaggle(fake_kaggle: FakeKaggle, clock: FakeClock) -> FakeKaggle:
    """The fake Kaggle with the model on it."""
    fake_kaggle.on(DOWNLOAD, redirect_response())
    fake_kaggle.on(STORAGE, stored_file(tar_gz(FILES)))
    return fake_kaggle


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have waited before it tried again."""
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


def files_under(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def folders_above_it(models: Path) -> list[Path]:
    place = models / HANDLE.source
    return [folder for folder in reversed(place.parents) if models in folder.parents]


def test_the_files_arrive_and_nothing_else(kaggle: FakeKaggle, models: Path) -> None:
    reporter = RecordingReporter()
    place = fetch_model(HANDLE, models, reporter)
    assert place == models / "keras/densenet/keras/densenet_121/3"
    assert files_under(place) == FILES
    assert [path.name for path in place.parent.iterdir()] == ["3"]
    assert reporter.notes == [f"Downloading {HANDLE} from Kaggle into {place}."]


def test_that_version_is_requested_and_storage_receives_no_secret(
    kaggle: FakeKaggle, models: Path
) -> None:
    fetch_model(HANDLE, models, Silent())
    requested, fetched = kaggle.requests
    assert requested.call == DOWNLOAD
    assert requested.fields == {
        "ownerSlug": "keras",
        "modelSlug": "densenet",
        "framework": "MODEL_FRAMEWORK_KERAS",
        "instanceSlug": "densenet_121",
        "versionNumber": 3,
    }
    scheme, _, sent = requested.headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(sent).decode()) == ("Basic", f"{USER}:{KEY}")
    assert fetched.call == STORAGE
    assert "authorization" not in fetched.headers


def test_what_is_there_is_not_fetched_again(kaggle: FakeKaggle, models: Path) -> None:
    place = fetch_model(HANDLE, models, Silent())
    kaggle.requests.clear()
    assert fetch_model(HANDLE, models, Silent()) == place
    assert kaggle.requests == []


def test_a_handle_without_a_version_means_the_newest(kaggle: FakeKaggle, models: Path) -> None:
    kaggle.on(LOOK_UP, json_response({"slug": "densenet_121", "versionNumber": 12}))
    assert fetch_model(NEWEST, models, Silent()).name == "12"
    assert kaggle.calls == [LOOK_UP, DOWNLOAD, STORAGE]
    assert kaggle.requests[1].fields["versionNumber"] == 12
    assert fetch_model(NEWEST, models, Silent()).name == "12"
    assert kaggle.calls[3:] == [LOOK_UP]


def test_a_model_without_any_version_is_refused(kaggle: FakeKaggle, models: Path) -> None:
    kaggle.on(LOOK_UP, json_response({"slug": "densenet_121"}))
    with pytest.raises(KaggleError, match=r"no version.*densenet_121/1"):
        fetch_model(NEWEST, models, Silent())


def test_the_folder_is_where_a_kernel_would_have_it_attached(
    kaggle: FakeKaggle, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kaggle_model, "MOUNTS", models.parent)
    place = fetch_model(HANDLE, models, Silent())
    assert NEWEST.attached() == HANDLE.attached() == place


@pytest.mark.parametrize(
    ("status", "wrong", "advice"),
    [
        (400, "does not accept the request", "Check the handle"),
        (401, "does not accept the credentials", "settings"),
        (403, "refuses access", "https://www.kaggle.com/models/keras/densenet"),
        (404, "does not know", "Check the handle"),
        (429, "too many requests", "in some minutes"),
        (500, "fault of its own", "in some minutes"),
        (503, "fault of its own", "in some minutes"),
    ],
)
@pytest.mark.parametrize("call", [DOWNLOAD, STORAGE])
def test_a_refusal_is_one_sentence_of_what_was_received_and_what_to_do(
    call: str, status: int, wrong: str, advice: str, kaggle: FakeKaggle, models: Path
) -> None:
    kaggle.on(call, error_response(status, "Said\nby Kaggle."))
    with pytest.raises(KaggleError) as caught:
        fetch_model(HANDLE, models, Silent())
    message = str(caught.value)
    if call == STORAGE and status in (401, 403, 404):
        wrong, advice = "address of a file on Kaggle's storage", "Run the same command again."
    assert wrong in message
    assert advice in message
    assert f"Received: {status} for {HANDLE} (Said by Kaggle.)" in message
    assert files_under(models) == {}


def test_a_gateway_s_refusal_is_reported_by_its_status(kaggle: FakeKaggle, models: Path) -> None:
    kaggle.on(DOWNLOAD, json_response({"error": {"code": 429, "message": "lost"}}, 429))
    with pytest.raises(KaggleError, match=r"too many requests\. Received: 429 for"):
        fetch_model(HANDLE, models, Silent())


def test_a_framework_kaggle_has_not_is_refused_before_anything_is_sent(
    kaggle: FakeKaggle, models: Path
) -> None:
    handle = KaggleModel.parse("kaggle://keras/densenet/kreas/densenet_121/3")
    with pytest.raises(KaggleError, match=r"KREAS.*Check the handle"):
        fetch_model(handle, models, Silent())
    assert kaggle.requests == []


def test_a_download_that_is_cut_off_is_taken_up_where_it_stopped(
    kaggle: FakeKaggle, models: Path, waits: list[float]
) -> None:
    content = tar_gz(FILES)
    # The client writes whole chunks of a MiB, and starts over with less.
    content += bytes(3 * 2**20 - len(content))
    headers = {"Accept-Ranges": "bytes", "ETag": '"one"'}
    kaggle.on(
        STORAGE, FakeResponse(200, content, headers, sent=2 * 2**20 + 7), stored_file(content)
    )
    assert files_under(fetch_model(HANDLE, models, Silent())) == FILES
    assert kaggle.requests[-1].headers["range"] == f"bytes={2 * 2**20}-"
    assert len(waits) == 1


def test_a_download_that_is_always_cut_off_leaves_nothing(
    kaggle: FakeKaggle, models: Path, waits: list[float]
) -> None:
    kaggle.on(STORAGE, FakeResponse(200, tar_gz(FILES), sent=100))
    with pytest.raises(
        KaggleError, match=rf"is incomplete\. Received: .*{HANDLE}.*same command again"
    ):
        fetch_model(HANDLE, models, Silent())
    assert [*models.rglob("*")] == folders_above_it(models)
    kaggle.on(STORAGE, stored_file(tar_gz(FILES)))
    assert files_under(fetch_model(HANDLE, models, Silent())) == FILES


def test_a_download_that_was_packed_on_its_way_is_refused(kaggle: FakeKaggle, models: Path) -> None:
    packed = gzip.compress(tar_gz(FILES))
    kaggle.on(STORAGE, FakeResponse(200, packed, {"Content-Encoding": "gzip"}))
    with pytest.raises(KaggleError, match=r"is incomplete.*expected size"):
        fetch_model(HANDLE, models, Silent())


@pytest.mark.parametrize("handle", [HANDLE, NEWEST])
@pytest.mark.parametrize(
    "silent", [FakeResponse(mute=True), FakeResponse(200, tar_gz(FILES), sent=100, hangs=True)]
)
def test_silence_is_given_up_and_attaching_is_advised(
    silent: FakeResponse,
    handle: KaggleModel,
    kaggle: FakeKaggle,
    models: Path,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kagglecxr.remote.client.TIMEOUT", 0.1)
    kaggle.on(LOOK_UP if handle.version is None else STORAGE, silent)
    source = "keras/densenet/keras/densenet_121/" + ("VERSION" if handle is NEWEST else "3")
    with pytest.raises(KaggleError, match=rf"does not answer.* add {source} to model_sources\.$"):
        fetch_model(handle, models, Silent())


@pytest.mark.parametrize(
    "content",
    [b"<!doctype html><title>Sign in</title>", b"", tar_gz(FILES)[:-9], tar_gz({})],
    ids=["page", "empty", "cut", "no file"],
)
def test_a_broken_archive_is_refused_and_fetched_anew(
    content: bytes, kaggle: FakeKaggle, models: Path
) -> None:
    kaggle.on(STORAGE, stored_file(content), stored_file(tar_gz(FILES)))
    with pytest.raises(DataError, match=rf"{len(content)} bytes for {HANDLE}.*same command again"):
        fetch_model(HANDLE, models, Silent())
    assert [*models.rglob("*")] == folders_above_it(models)
    assert files_under(fetch_model(HANDLE, models, Silent())) == FILES


def test_a_process_that_was_faster_is_not_disturbed(kaggle: FakeKaggle, models: Path) -> None:
    place = models / HANDLE.source

    def meanwhile(seen: RecordedRequest) -> FakeResponse:
        place.mkdir()
        (place / "theirs").touch()
        return stored_file(tar_gz(FILES))(seen)

    kaggle.on(STORAGE, meanwhile)
    assert fetch_model(HANDLE, models, Silent()) == place
    assert [*place.parent.rglob("*")] == [place, place / "theirs"]


def test_files_that_cannot_be_put_in_their_place_are_reported(
    kaggle: FakeKaggle, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, place: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        fetch_model(HANDLE, models, Silent())
    assert [*models.rglob("*")] == folders_above_it(models)


def test_an_interruption_leaves_nothing_that_looks_finished(
    kaggle: FakeKaggle, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(archive: Path, folder: Path, what: str) -> None:
        (folder / "config.json").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(model_files, "unpack", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch_model(HANDLE, models, Silent())
    assert [*models.rglob("*")] == folders_above_it(models)
