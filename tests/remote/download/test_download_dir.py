"""A download is put in place whole or not at all, and its manifest says what it holds."""

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.files import DiskSpaceError
from kagglecxr.remote.archives import FileStat
from kagglecxr.remote.download.download_dir import (
    DownloadDir,
    Manifest,
    download_one,
    read_manifest,
    write_manifest,
)
from kagglecxr.remote.errors import KaggleError
from tests.remote.download.conftest import COMPETITION, DATASET
from tests.remote.download.hosted_data import ALL, ARCHIVE, MODIFIED, files_under, signed_redirect
from tests.remote.fake_kaggle import FakeKaggle, FakeResponse, error_response, stored_file
from tests.remote.recording import RecordingReporter

NEW = Manifest("dataset", "mary/lungs", True, {"new": FileStat(3)})


@pytest.fixture
def target(target: DownloadDir) -> DownloadDir:
    """With a new file that was unpacked next to an old one."""
    for folder, name in ((target.folder, "old"), (target.unpacked, "new")):
        folder.mkdir(parents=True)
        (folder / name).write_text(name)
    target.archive.write_text("archive")
    return target


class Killed(BaseException):
    """As much as SIGKILL leaves to be seen."""


def test_all_of_it_is_replaced_and_nothing_is_left_next_to_it(target: DownloadDir) -> None:
    target.commit(NEW)
    assert files_under(target.folder) == {"new": b"new"}
    assert read_manifest(target.manifest) == NEW
    assert {path.name for path in target.folder.parent.iterdir()} == {"raw", "download.json"}


def test_data_next_to_raw_have_a_manifest_of_their_own(tmp_path: Path) -> None:
    assert DownloadDir(tmp_path / "raw").manifest.name == "download.json"
    assert DownloadDir(tmp_path / "kermany").manifest.name == "download-kermany.json"


@pytest.mark.parametrize("step", range(1, 7))
def test_killed_before_any_step_it_is_ended_by_the_next_run(
    step: int, target: DownloadDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def or_killed(*arguments: Any, **options: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == step:
                raise Killed
            return function(*arguments, **options)

        return or_killed

    with monkeypatch.context() as killing:
        killing.setattr(Path, "rename", counted(Path.rename))
        killing.setattr(Path, "replace", counted(Path.replace))
        killing.setattr(shutil, "rmtree", counted(shutil.rmtree))
        with pytest.raises(Killed):
            target.commit(NEW)
    whole = target.folder.is_dir() and files_under(target.folder)
    assert whole in (False, {"old": b"old"}, {"new": b"new"})
    if step == 1:
        target.commit(NEW)
    target.finish_commit()
    assert files_under(target.folder) == {"new": b"new"}
    assert read_manifest(target.manifest) == NEW


def test_without_a_fill_nothing_is_ended(target: DownloadDir) -> None:
    target.finish_commit()
    assert files_under(target.folder) == {"old": b"old"}
    assert target.archive.is_file()


FACTS = st.builds(FileStat, st.integers(0), st.none() | st.integers(0, 2**32 - 1))
MANIFESTS = st.builds(
    Manifest,
    st.just("dataset"),
    st.just(DATASET.slug),
    st.booleans(),
    st.dictionaries(st.text(), FACTS),
)


@given(manifest=MANIFESTS)
def test_it_is_read_as_it_was_written(
    manifest: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "download.json"
    write_manifest(path, manifest)
    assert read_manifest(path) == manifest
    assert manifest.is_of(DATASET)
    assert not manifest.is_of(COMPETITION)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": []}', '{"files": {"x": 3}}'])
def test_what_is_no_manifest_is_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "download.json"
    assert read_manifest(path) is None
    path.write_text(text)
    assert read_manifest(path) is None


def test_files_that_are_gone_or_of_another_size_are_not_there(tmp_path: Path) -> None:
    manifest = Manifest("dataset", "mary/lungs", True, dict.fromkeys("abc", FileStat(1)))
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"22")
    assert manifest.missing_from(tmp_path) == ["b", "c"]
    assert manifest.size == 3


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


def test_it_arrives_with_its_size_reported_first(
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
    what = f"the data of {COMPETITION}"
    told = f"{what} was interrupted; going on at 2,097,152 bytes."
    if status in (403, 404):
        told = (
            f"The address of a file on Kaggle's storage is not valid for {what}; trying again in "
            "2 s."
        )
    assert reporter.notes == [told]


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


def test_from_a_storage_that_sends_no_parts_all_is_requested(
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
    assert kaggle.calls.count(ALL) == 4


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
