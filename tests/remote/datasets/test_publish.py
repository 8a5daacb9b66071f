"""A folder becomes a dataset, whole and once, or a sentence says why not."""

import base64
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator

import pytest

from kagglecxr.core.errors import MissingError
from kagglecxr.core.progress import Bar, Silent
from kagglecxr.remote.datasets.publish import PublishedDataset
from kagglecxr.remote.errors import KaggleError
from tests.remote.conftest import KEY, USER
from tests.remote.datasets.conftest import METADATA, Sender
from tests.remote.datasets.fake_datasets import BLOB, CREATE, LOOK_UP, STATUS, VERSION, FakeDatasets
from tests.remote.fake_kaggle import FakeResponse, RecordedRequest, error_response, json_response

REF, URL = "mary/kit-wheels", "https://www.kaggle.com/datasets/mary/kit-wheels"
A, B, RUN = "a-1-py3-none-any.whl", "b-1-py3-none-any.whl", "vgg16-1a2b3c4d.zip"
SENT = [CREATE, VERSION, BLOB]


def sent_files(sender: Sender) -> dict[str, bytes]:
    files = [path for path in sender.folder.iterdir() if path.name != "dataset-metadata.json"]
    return {path.name: path.read_bytes() for path in files}


def refusal(sender: Sender, kind: type[Exception] = KaggleError) -> str:
    with pytest.raises(kind) as caught:
        sender.publish()
    message = str(caught.value)
    assert "\n" not in message
    for secret in (KEY, "s1gned", base64.b64encode(f"{USER}:{KEY}".encode()).decode()):
        assert secret not in message
    return message


def sendings(fake_datasets: FakeDatasets) -> list[str]:
    return [call for call in fake_datasets.fake_kaggle.calls if call in SENT]


def test_a_new_dataset_is_private_and_has_every_file(
    fake_datasets: FakeDatasets, sender: Sender
) -> None:
    published = sender.publish()
    assert published == PublishedDataset(REF, 1, URL, is_new=True, unchanged=False)
    assert fake_datasets.versions == [sent_files(sender)]
    sent = next(seen for seen in fake_datasets.fake_kaggle.requests if seen.call == CREATE).fields
    assert (sent["ownerSlug"], sent["slug"]) == ("mary", "kit-wheels")
    assert (sent["title"], sent["licenseName"]) == ("Wheels of the kit", "apache-2.0")
    assert sent["isPrivate"] is True
    assert sender.reporter.notes[0].startswith(
        "Sending 3 files, 0.1 MB, to https://www.kaggle.com/"
    )


def test_a_bar_counts_the_bytes(fake_datasets: FakeDatasets, sender: Sender) -> None:
    sender.publish()
    total = sum(map(len, sent_files(sender).values()))
    assert sender.reporter.bars == [[total, total]]
    (sender.folder / A).write_bytes(b"another")
    fake_datasets.cut(B, after=1000)
    sender.publish()
    total = sum(map(len, sent_files(sender).values()))
    assert sender.reporter.bars[1:] == [[total, total]]


def test_it_is_public_only_on_demand(fake_datasets: FakeDatasets, sender: Sender) -> None:
    sender.publish(public=True)
    sent = next(seen for seen in fake_datasets.fake_kaggle.requests if seen.call == CREATE).fields
    assert "isPrivate" not in sent


def test_storage_receives_no_secret(fake_datasets: FakeDatasets, sender: Sender) -> None:
    sender.publish()
    assert len(fake_datasets.puts) == 3
    assert not any("authorization" in seen.headers for seen in fake_datasets.puts)


def test_what_has_not_changed_is_not_sent_again(
    fake_datasets: FakeDatasets, sender: Sender
) -> None:
    sender.publish()
    before = sendings(fake_datasets)
    again = sender.publish()
    assert again == PublishedDataset(REF, 1, URL, is_new=False, unchanged=True)
    assert sendings(fake_datasets) == before


def test_what_has_changed_is_a_version_with_all_files(
    fake_datasets: FakeDatasets, sender: Sender
) -> None:
    sender.publish()
    (sender.folder / A).write_bytes(b"another")
    again = sender.publish()
    assert again == PublishedDataset(REF, 2, URL, is_new=False, unchanged=False)
    assert fake_datasets.versions[1] == sent_files(sender)
    assert len(fake_datasets.versions) == 2
    sent = next(seen for seen in fake_datasets.fake_kaggle.requests if seen.call == VERSION).fields
    assert sent["body"]["versionNotes"].startswith("kagglecxr 0.")


@pytest.mark.parametrize(
    "changed", ["metadata", "no receipt", "broken receipt", "newer there", "alike"]
)
def test_what_may_not_be_there_is_sent(
    changed: str, fake_datasets: FakeDatasets, sender: Sender
) -> None:
    sender.publish()
    receipt = sender.folder.with_name("wheels.sent.json")
    if changed == "metadata":
        path = sender.folder / "dataset-metadata.json"
        path.write_text(json.dumps(METADATA | {"description": "What for."}))
    elif changed == "no receipt":
        receipt.unlink()
    elif changed == "broken receipt":
        receipt.write_text("{")
    elif changed == "alike":
        fake_datasets.versions.append(
            {name: b"?" * len(old) for name, old in fake_datasets.versions[0].items()}
        )
    else:
        fake_datasets.versions.append({"theirs.csv": b"1"})
    assert not sender.publish().unchanged
    assert fake_datasets.versions[-1] == sent_files(sender)


@pytest.mark.parametrize("status", [403, 404])
def test_a_name_that_kaggle_does_not_know_is_free(
    status: int, fake_datasets: FakeDatasets, sender: Sender
) -> None:
    # The client asks for itself as well.
    fake_datasets.first(STATUS, error_response(status), error_response(status))
    assert sender.publish().is_new


def test_a_deleted_one_is_free(fake_datasets: FakeDatasets, sender: Sender) -> None:
    fake_datasets.first(STATUS, json_response({"status": "DELETED"}), error_response(404))
    assert sender.publish().is_new


def test_what_is_another_users_is_refused(
    fake_datasets: FakeDatasets, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "john")
    message = refusal(sender)
    assert "refuses access. Received: 403 for dataset mary/kit-wheels" in message
    assert "Check that mary is the credentials' user" in message
    assert sendings(fake_datasets) == []


@pytest.mark.parametrize("status", [400, 401, 500, 503])
def test_a_refused_look_is_not_taken_for_a_free_name(
    status: int, fake_datasets: FakeDatasets, sender: Sender
) -> None:
    fake_datasets.fake_kaggle.on(STATUS, error_response(status, "no"))
    assert f"Received: {status} for dataset {REF}" in refusal(sender)
    assert sendings(fake_datasets) == []


def test_without_credentials_nothing_is_requested(
    fake_datasets: FakeDatasets, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    assert "no Kaggle credentials" in refusal(sender, MissingError)
    assert fake_datasets.fake_kaggle.requests == []


@pytest.mark.parametrize(("headers", "wait"), [({"Retry-After": "7"}, 7.0), ({}, 15.0)])
def test_too_many_requests_are_waited_out(
    headers: dict[str, str], wait: float, fake_datasets: FakeDatasets, sender: Sender
) -> None:
    fake_datasets.first(STATUS, FakeResponse(429, b"{}", headers))
    assert sender.publish().is_new
    assert sender.slept == [wait]
    assert "too many requests" in sender.reporter.notes[0]


@pytest.mark.parametrize("headers", [{"Retry-After": "1"}, {}])
@pytest.mark.parametrize("call", [CREATE, BLOB])
def test_too_many_requests_while_sending_are_waited_out_by_the_client(
    call: str, headers: dict[str, str], fake_datasets: FakeDatasets, sender: Sender
) -> None:
    fake_datasets.first(call, FakeResponse(429, b"{}", headers))
    assert sender.publish().is_new
    assert fake_datasets.versions == [sent_files(sender)]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            json_response({"status": "error", "error": "The requested slug is already in use."}),
            "in use",
        ),
        (json_response({"status": "Error"}), "no reason"),
        (json_response({"error": "The title is too dull"}), "too dull"),
        (
            error_response(409, "The title is taken"),
            "409 for dataset mary/kit-wheels (it) (The title is",
        ),
        (error_response(401, "no"), "401"),
        (error_response(500, "no"), "500"),
    ],
)
def test_a_refused_dataset_is_an_error(
    answer: FakeResponse, reason: str, fake_datasets: FakeDatasets, sender: Sender
) -> None:
    fake_datasets.first(CREATE, answer)
    assert reason in refusal(sender)
    # Mended, the same command ends right.
    assert sender.publish().is_new
    assert fake_datasets.versions == [sent_files(sender)]


def test_a_refused_version_is_an_error(fake_datasets: FakeDatasets, sender: Sender) -> None:
    sender.publish()
    (sender.folder / A).write_bytes(b"another")
    fake_datasets.first(
        VERSION, json_response({"status": "error", "error": "Too many versions today"})
    )
    assert "Too many versions today" in refusal(sender)
    assert sender.publish().version == 2
    assert fake_datasets.versions[1] == sent_files(sender)


def test_a_lost_response_is_no_slug_that_is_taken(
    fake_datasets: FakeDatasets, sender: Sender
) -> None:
    def create_twice(seen: RecordedRequest) -> FakeResponse:
        fake_datasets.create(seen)
        return fake_datasets.create(seen)

    fake_datasets.first(CREATE, create_twice)
    assert sender.publish() == PublishedDataset(REF, 1, URL, is_new=True, unchanged=False)
    assert len(fake_datasets.versions) == 1


def test_an_upload_that_was_cut_goes_on(fake_datasets: FakeDatasets, sender: Sender) -> None:
    fake_datasets.cut(B, after=1000)
    sender.publish()
    assert fake_datasets.versions == [sent_files(sender)]
    size = len(sent_files(sender)[B])
    ranges = [seen.headers.get("content-range") for seen in fake_datasets.puts]
    assert [each for each in ranges if each] == [
        f"bytes */{size}",
        f"bytes 1000-{size - 1}/{size}",
    ]


def test_what_was_uploaded_is_not_uploaded_again(
    fake_datasets: FakeDatasets, sender: Sender
) -> None:
    fake_datasets.first(CREATE, error_response(500))
    refusal(sender)
    sender.publish()
    assert fake_datasets.versions == [sent_files(sender)]
    bodies = [seen for seen in fake_datasets.puts if seen.body]
    assert len(bodies) == 3


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_address_that_has_expired_is_asked_for_again(
    status: int, fake_datasets: FakeDatasets, sender: Sender
) -> None:
    fake_datasets.faults[B] = [FakeResponse(status)]
    sender.publish()
    assert fake_datasets.versions == [sent_files(sender)]


@pytest.mark.parametrize("status", [400, 500])
def test_a_file_that_cannot_be_uploaded_is_named(
    status: int, fake_datasets: FakeDatasets, sender: Sender
) -> None:
    fake_datasets.faults[B] = [FakeResponse(status)]
    message = refusal(sender)
    assert f"A file of the dataset was not uploaded. Received: {REF} without {B}." in message
    assert fake_datasets.versions == []
    sender.publish()
    assert fake_datasets.versions == [sent_files(sender)]


def test_a_file_that_never_gets_through_is_named(
    fake_datasets: FakeDatasets, sender: Sender
) -> None:
    fake_datasets.faults[B] = [FakeResponse(503)] * 100
    assert f"without {B}." in refusal(sender)


def test_files_that_kaggle_cannot_work_in_are_an_error_and_sent_anew(
    fake_datasets: FakeDatasets, sender: Sender
) -> None:
    fake_datasets.statuses = ["BLOBS_RECEIVED", "FAILED"]
    message = refusal(sender)
    assert f"could not process the dataset's files. Received: failed for {REF}" in message
    fake_datasets.statuses = ["READY"]
    assert sender.publish() == PublishedDataset(REF, 2, URL, is_new=False, unchanged=False)
    assert fake_datasets.versions[1] == sent_files(sender)


def test_it_is_waited_for_with_growing_pauses(fake_datasets: FakeDatasets, sender: Sender) -> None:
    fake_datasets.statuses = ["NOT_YET_PERSISTED", *["BLOBS_RECEIVED"] * 8, "READY"]
    sender.publish()
    assert sender.slept[:3] == [5.0, 7.5, 11.25]
    assert max(sender.slept) == sender.slept[-1] == 60.0
    assert len(sender.slept) == 9


def test_it_is_not_waited_for_ever_and_then_not_sent_twice(
    fake_datasets: FakeDatasets, sender: Sender
) -> None:
    fake_datasets.statuses = ["BLOBS_RECEIVED"]
    message = refusal(sender)
    assert "has not processed the dataset's files yet. Received: blobs_received" in message
    assert 1700.0 < sum(sender.slept) <= 1800.0
    before = sendings(fake_datasets)
    fake_datasets.fake_kaggle.on(
        STATUS, json_response({"status": "BLOBS_DECOMPRESSED"}), json_response({"status": "READY"})
    )
    assert sender.publish().unchanged
    assert sendings(fake_datasets) == before


def test_a_version_counts_once_kaggle_speaks_of_it(
    fake_datasets: FakeDatasets, sender: Sender
) -> None:
    sender.publish()
    (sender.folder / A).write_bytes(b"another")
    old = json_response({"currentVersionNumber": 1})
    fake_datasets.fake_kaggle.on(LOOK_UP, old, old, old, fake_datasets.look_up)
    assert sender.publish().version == 2
    assert sender.slept == [5.0, 7.5]


def stop_at(bar_or_note: str, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(text: str, *_: object, **__: object) -> contextlib.AbstractContextManager[Bar]:
        if text.startswith(bar_or_note):
            raise KeyboardInterrupt
        return Silent().bar(text, 1)

    with monkeypatch.context() as patch:
        patch.setattr(sender.reporter, "note", stop)
        patch.setattr(sender.reporter, "bar", stop)
        with pytest.raises(KeyboardInterrupt):
            sender.publish()


@pytest.mark.parametrize("stopped_at", ["Sending", "Uploading"])
def test_a_version_that_was_stopped_is_not_taken_for_the_one_before(
    stopped_at: str, fake_datasets: FakeDatasets, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.publish()
    (sender.folder / A).write_bytes(b"!" * (sender.folder / A).stat().st_size)
    stop_at(stopped_at, sender, monkeypatch)
    assert sender.publish() == PublishedDataset(REF, 2, URL, is_new=False, unchanged=False)
    assert fake_datasets.versions[1:] == [sent_files(sender)]


def test_kaggle_may_count_more_versions_than_were_sent(
    fake_datasets: FakeDatasets, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at("Waiting", sender, monkeypatch)
    fake_datasets.versions.append(fake_datasets.versions[0])
    assert sender.publish() == PublishedDataset(REF, 2, URL, is_new=False, unchanged=True)
    assert sender.publish() == PublishedDataset(REF, 2, URL, is_new=False, unchanged=True)


@pytest.mark.parametrize("stopped_at", ["Sending", "Uploading", "Waiting"])
def test_a_stopped_run_ends_right_the_second_time(
    stopped_at: str, fake_datasets: FakeDatasets, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(stopped_at, sender, monkeypatch)
    assert sender.publish().version == 1
    assert fake_datasets.versions == [sent_files(sender)]
    assert not sender.folder.with_name("wheels.sent.json").read_text().count('"is_ready": false')


def test_a_killed_process_ends_right_the_second_time(
    fake_datasets: FakeDatasets, sender: Sender
) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from kagglecxr.core.progress import Silent\n"
        "from kagglecxr.remote.datasets.publish import publish\n"
        "publish(Path(sys.argv[1]), Silent())"
    )
    reached = threading.Event()

    def hang(_: RecordedRequest) -> FakeResponse:
        reached.set()
        return FakeResponse(mute=True)

    # Whichever file comes second stands still.
    answers: Iterator[Callable[[RecordedRequest], FakeResponse]] = iter(
        [fake_datasets.received, hang]
    )

    def answer(seen: RecordedRequest) -> FakeResponse:
        return next(answers)(seen)

    fake_datasets.faults = {name: [answer] for name in sent_files(sender)}
    environment = os.environ | {"TMPDIR": tempfile.gettempdir()}
    command = [sys.executable, "-c", program, str(sender.folder)]
    with subprocess.Popen(command, env=environment) as process:
        assert reached.wait(60)
        process.kill()
    fake_datasets.faults.clear()
    assert fake_datasets.versions == []
    sent = len(fake_datasets.uploads)
    assert sender.publish().is_new
    assert fake_datasets.versions == [sent_files(sender)]
    assert len(fake_datasets.uploads) - sent == 1
