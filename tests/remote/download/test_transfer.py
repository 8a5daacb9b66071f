"""One file through the real client: whole, and no byte of it twice that need not be."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kagglecxr.core.files import DiskSpaceError
from kagglecxr.remote.download.transfer import download_one
from kagglecxr.remote.errors import KaggleError
from tests.remote.download.conftest import COMPETITION
from tests.remote.download.hosted_data import ALL, ARCHIVE, MODIFIED, signed_redirect
from tests.remote.fake_kaggle import FakeKaggle, FakeResponse, error_response, stored_file
from tests.remote.recording import RecordingReporter

MIB = 2**20
CONTENT = Random(0).randbytes(4 * MIB + 99)
HEADERS = {"Accept-Ranges": "bytes", "ETag": '"one"', "Last-Modified": MODIFIED}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "part"


@pytest.fixture
def kaggle(fake_kaggle: FakeKaggle) -> FakeKaggle:
    fake_kaggle.on(ALL, signed_redirect(ARCHIVE))
    fake_kaggle.on(ARCHIVE, stored_file(CONTENT))
    return fake_kaggle


def fetched(
    folder: Path, reporter: RecordingReporter, check: Callable[[int], None] = lambda size: None
) -> bytes:
    def call(api: Any, folder: Path) -> None:
        COMPETITION.call(api, "download_files", path=str(folder), quiet=True)

    return download_one(COMPETITION.context(), call, folder, check, reporter).read_bytes()


def cut(at: int, content: bytes = CONTENT, etag: str = '"one"') -> FakeResponse:
    """The whole file, that breaks off."""
    return FakeResponse(200, content, HEADERS | {"ETag": etag}, sent=at)


def ranges(kaggle: FakeKaggle) -> list[str | None]:
    return [seen.headers.get("range") for seen in kaggle.requests if seen.call == ARCHIVE]


def leave_a_part(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter, size: int = 2 * MIB
) -> None:
    """As a killed client leaves it, with its note of what it is."""
    answers = [cut(size), *[error_response(503)] * 9]
    kaggle.on(ARCHIVE, *answers)
    with pytest.raises(KaggleError):
        fetched(folder, reporter)
    assert sum(path.stat().st_size for path in folder.glob("*.zip")) == size
    kaggle.requests.clear()


def test_it_arrives_with_its_size_told_first(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter
) -> None:
    sizes: list[int] = []
    assert fetched(folder, reporter, sizes.append) == CONTENT
    assert sizes == [len(CONTENT)]


def test_nothing_is_printed_by_the_client(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter, capfd: pytest.CaptureFixture[str]
) -> None:
    fetched(folder, reporter)
    assert capfd.readouterr() == ("", "")


def test_a_size_that_is_refused_is_not_fetched(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter
) -> None:
    def refuse(size: int) -> None:
        raise DiskSpaceError("no room")

    with pytest.raises(DiskSpaceError):
        fetched(folder, reporter, refuse)
    assert [*folder.glob("*.zip")] == []


def test_a_cut_connection_is_gone_on_with_by_the_client(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter, waits: list[float]
) -> None:
    kaggle.on(ARCHIVE, cut(2 * MIB + 7), stored_file(CONTENT))
    assert fetched(folder, reporter) == CONTENT
    assert ranges(kaggle) == [None, f"bytes={2 * MIB}-"]
    assert len(waits) == 1


def test_a_part_of_an_earlier_process_is_gone_on_with(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter, waits: list[float]
) -> None:
    leave_a_part(kaggle, folder, reporter)
    kaggle.on(ARCHIVE, stored_file(CONTENT))
    assert fetched(folder, reporter) == CONTENT
    assert ranges(kaggle) == [None, f"bytes={2 * MIB}-"]


def test_a_whole_file_of_an_earlier_process_is_not_downloaded_again(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter
) -> None:
    fetched(folder, reporter)
    (archive,) = folder.glob("*.zip")
    before = archive.stat().st_ino, archive.stat().st_mtime_ns
    kaggle.requests.clear()
    assert fetched(folder, reporter) == CONTENT
    assert (archive.stat().st_ino, archive.stat().st_mtime_ns) == before
    assert ranges(kaggle) == [None]


@pytest.mark.parametrize("status", [400, 403, 404])
def test_an_expired_address_is_requested_anew_and_costs_no_byte(
    status: int,
    kaggle: FakeKaggle,
    folder: Path,
    reporter: RecordingReporter,
    waits: list[float],
) -> None:
    expired = [error_response(status, "expired")] * 5
    kaggle.on(ARCHIVE, cut(2 * MIB), *expired, stored_file(CONTENT))
    assert fetched(folder, reporter) == CONTENT
    rest = f"bytes={2 * MIB}-"
    assert ranges(kaggle) == [None, *[rest] * 5, None, rest]
    assert kaggle.calls.count(ALL) == 2
    assert reporter.notes == [
        f"the data of {COMPETITION} was interrupted; going on at 2,097,152 bytes."
    ]


@pytest.mark.parametrize("status", [416, 429, 500, 503])
def test_a_storage_s_error_is_not_taken_for_the_rest(
    status: int, kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter, waits: list[float]
) -> None:
    kaggle.on(ARCHIVE, cut(2 * MIB), error_response(status, "x" * 5000), stored_file(CONTENT))
    assert fetched(folder, reporter) == CONTENT


def test_a_storage_that_fails_on_and_on_keeps_the_part(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter, waits: list[float]
) -> None:
    leave_a_part(kaggle, folder, reporter, MIB)
    assert (folder / f"{COMPETITION.slug}.zip").read_bytes() == CONTENT[:MIB]


def test_another_file_of_the_same_size_is_fetched_from_its_start(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter, waits: list[float]
) -> None:
    leave_a_part(kaggle, folder, reporter)
    other = bytes(len(CONTENT))
    kaggle.on(ARCHIVE, FakeResponse(200, other, HEADERS | {"ETag": '"two"'}))
    assert fetched(folder, reporter) == other
    assert ranges(kaggle) == [None]


def test_a_file_that_changes_meanwhile_is_downloaded_from_its_start(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter, waits: list[float]
) -> None:
    other = bytes(len(CONTENT))
    kaggle.on(ARCHIVE, cut(2 * MIB), stored_file(other, '"two"'))
    assert fetched(folder, reporter) == other


def test_a_part_under_another_name_is_removed(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter, waits: list[float]
) -> None:
    leave_a_part(kaggle, folder, reporter)
    kaggle.on(ALL, signed_redirect("http://storage.test/data/archive.gz"))
    kaggle.on("http://storage.test/data/archive.gz", stored_file(CONTENT))
    assert fetched(folder, reporter) == CONTENT


def test_a_storage_that_sends_no_parts_is_asked_for_all(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter, waits: list[float]
) -> None:
    kaggle.on(ARCHIVE, cut(2 * MIB), FakeResponse(200, CONTENT))
    assert fetched(folder, reporter) == CONTENT


def test_a_part_of_unknown_descent_is_fetched_from_its_start(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter, waits: list[float]
) -> None:
    leave_a_part(kaggle, folder, reporter)
    (folder / f"{COMPETITION.slug}.zip.kaggle-partial").write_text("{")
    kaggle.on(ARCHIVE, stored_file(CONTENT))
    assert fetched(folder, reporter) == CONTENT
    assert ranges(kaggle) == [None]


def test_a_file_that_is_always_cut_at_its_start_is_given_up(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter, waits: list[float]
) -> None:
    kaggle.on(ARCHIVE, cut(100))
    with pytest.raises(KaggleError, match="is incomplete"):
        fetched(folder, reporter)
    assert kaggle.calls.count(ALL) == 1


def test_a_silent_storage_is_given_up(
    kaggle: FakeKaggle,
    folder: Path,
    reporter: RecordingReporter,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kagglecxr.remote.client.TIMEOUT", 0.2)
    silent = FakeResponse(mute=True)
    kaggle.on(ARCHIVE, FakeResponse(200, CONTENT, HEADERS, sent=MIB, hangs=True), silent)
    with pytest.raises(KaggleError, match="does not answer"):
        fetched(folder, reporter)
    assert (folder / f"{COMPETITION.slug}.zip").read_bytes() == CONTENT[:MIB]


def test_too_many_requests_are_waited_out(
    kaggle: FakeKaggle, folder: Path, reporter: RecordingReporter
) -> None:
    kaggle.on(ALL, FakeResponse(429, headers={"Retry-After": "9"}), signed_redirect(ARCHIVE))
    assert fetched(folder, reporter) == CONTENT
    assert "trying again in 9 s" in reporter.notes[0]
