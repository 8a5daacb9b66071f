"""From Kaggle to files in their target: whole or not at all, and nothing fetched without need."""

import hashlib
import os
import shutil
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
from filelock import FileLock

from kagglecxr.core.errors import CxrError, DataError, SettingError
from kagglecxr.core.files import DiskSpaceError
from kagglecxr.remote.download import fetch
from kagglecxr.remote.download.download_dir import DownloadDir, read_manifest
from kagglecxr.remote.download.downloader import (
    BusyError,
    DownloadResult,
    download_data,
    holds_other_data,
)
from kagglecxr.remote.download.source import KaggleSource
from kagglecxr.remote.errors import KaggleError
from tests.remote.download.conftest import COMPETITION, DATASET
from tests.remote.download.hosted_data import (
    ALL,
    ARCHIVE,
    LIST,
    LIST_OF_DATASET,
    OF_DATASET,
    ONE,
    files_under,
    host_files,
    listing_response,
    signed_redirect,
    zipped,
)
from tests.remote.fake_kaggle import FakeKaggle, error_response, stored_file, tar_gz
from tests.remote.recording import RecordingReporter

random = Random(0)
FILES = {
    **{f"train/normal/{number}.png": random.randbytes(900) for number in range(30)},
    "test/0.png": random.randbytes(700),
    "sample_submission.csv": b"id,label\n0,normal\n",
    "empty.txt": b"",
}
ALONE = "http://storage.test/data/0.png"


@pytest.fixture
def kaggle(fake_kaggle: FakeKaggle) -> FakeKaggle:
    host_files(fake_kaggle, FILES)
    return fake_kaggle


def download(target: DownloadDir, reporter: RecordingReporter, **options: Any) -> DownloadResult:
    return download_data(COMPETITION, target.folder, reporter, **options)


def workspace_entries(target: DownloadDir) -> set[str]:
    names = {path.name for path in target.folder.parent.iterdir()}
    return names - {f".downloading-{target.folder.name}.lock"}


@pytest.mark.parametrize(
    ("origin", "calls"),
    [(COMPETITION, [LIST, ALL]), (DATASET, [LIST_OF_DATASET, OF_DATASET])],
)
def test_all_files_arrive_in_their_place_and_nothing_else(
    origin: KaggleSource,
    calls: list[str],
    kaggle: FakeKaggle,
    target: DownloadDir,
    reporter: RecordingReporter,
) -> None:
    done = download_data(origin, target.folder, reporter)
    assert files_under(target.folder) == FILES
    assert workspace_entries(target) == {"raw", "download.json"}
    assert kaggle.calls == [*calls, ARCHIVE]
    assert done.downloaded == len(FILES)
    assert str(done) == f"Downloaded 33 files (27.7 kB) of {origin}: {target.folder}."


def test_an_archive_in_the_other_form_is_unpacked_as_well(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    kaggle.on(ARCHIVE, stored_file(tar_gz(FILES)))
    download(target, reporter)
    assert files_under(target.folder) == FILES
    assert download(target, reporter).downloaded == 0


def test_what_is_there_and_whole_is_not_requested_again(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    download(target, reporter)
    kaggle.requests.clear()
    done = download(target, reporter)
    assert kaggle.requests == []
    assert str(done) == (
        f"There are 33 files (27.7 kB) of {COMPETITION} already, complete: {target.folder}."
    )


def test_again_means_again(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    download(target, reporter)
    newer = {"train/normal/new.png": b"new"}
    host_files(kaggle, newer)
    download(target, reporter, again=True)
    assert files_under(target.folder) == newer


def test_a_few_missing_files_are_fetched_alone(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    download(target, reporter)
    (target.folder / "test" / "0.png").write_bytes(b"cut")
    (target.folder / "sample_submission.csv").unlink()
    alone = "http://storage.test/data/sample_submission.csv.zip"
    kaggle.on(
        ONE, lambda seen: signed_redirect(ALONE if "0.png" in seen.fields["fileName"] else alone)
    )
    kaggle.on(ALONE, stored_file(FILES["test/0.png"]))
    kaggle.on(alone, stored_file(zipped({"sample_submission.csv": FILES["sample_submission.csv"]})))
    kaggle.requests.clear()
    assert download(target, reporter).downloaded == 2
    assert files_under(target.folder) == FILES
    assert kaggle.calls == [ONE, ALONE, ONE, alone]
    assert workspace_entries(target) == {"raw", "download.json"}


def test_a_missing_file_that_is_another_by_now_is_refused(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    download(target, reporter)
    (target.folder / "test" / "0.png").unlink()
    kaggle.on(ONE, signed_redirect(ALONE))
    kaggle.on(ALONE, stored_file(bytes(700)))
    with pytest.raises(DataError, match=r"another version of a file.*--again"):
        download(target, reporter)
    assert not (target.folder / "test" / "0.png").exists()


def test_many_missing_files_are_fetched_as_an_archive(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    download(target, reporter)
    shutil.rmtree(target.folder / "train")
    kaggle.requests.clear()
    download(target, reporter)
    assert kaggle.calls == [LIST, ALL, ARCHIVE]
    assert files_under(target.folder) == FILES


def test_data_of_other_origin_are_not_replaced_by_default(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    target.folder.mkdir(parents=True)
    (target.folder / "mine").write_text("mine")
    assert holds_other_data(target.folder)
    with pytest.raises(DataError, match=r"data already.*--again.*kagglecxr\.prepare umons-covid19"):
        download(target, reporter)
    assert files_under(target.folder) == {"mine": b"mine"}
    assert kaggle.requests == []
    download(target, reporter, again=True)
    assert files_under(target.folder) == FILES
    assert not holds_other_data(target.folder)
    with pytest.raises(DataError, match=f"a download of {DATASET}.*of {COMPETITION} origin"):
        download_data(DATASET, target.folder, reporter)


def test_two_at_once_are_refused(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    target.folder.parent.mkdir(parents=True)
    with FileLock(target.folder.with_name(".downloading-raw.lock")), pytest.raises(BusyError):
        download(target, reporter)
    assert download(target, reporter).downloaded == len(FILES)


@pytest.mark.parametrize(
    "archive",
    [
        zipped({**FILES, "../out.png": b"1"}),
        zipped(FILES)[:-30],
        zipped({name: FILES[name] for name in [*FILES][:-2]}),
        zipped({**FILES, "test/0.png": b"1"}),
        zipped({**FILES, "TEST/0.png": b"1"}),
        b"<!doctype html>",
        b"",
    ],
    ids=["outside", "cut", "file missing", "other size", "one name", "page", "empty"],
)
def test_what_is_wrong_ends_nowhere_and_is_fetched_anew(
    archive: bytes, kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    kaggle.on(ARCHIVE, stored_file(archive))
    with pytest.raises(DataError, match="the same command again") as caught:
        download(target, reporter)
    assert "\n" not in str(caught.value)
    assert workspace_entries(target) == set()
    kaggle.on(ARCHIVE, stored_file(zipped(FILES)))
    download(target, reporter)
    assert files_under(target.folder) == FILES


def test_a_changed_byte_is_refused_by_its_checksum(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    archive = bytearray(zipped(FILES))
    archive[archive.index(FILES["test/0.png"]) + 7] ^= 1
    kaggle.on(ARCHIVE, stored_file(bytes(archive)))
    with pytest.raises(DataError, match=r"Bad CRC-32 for file 'test/0\.png'"):
        download(target, reporter)
    assert workspace_entries(target) == set()


def test_what_kaggle_does_not_list_is_kept_and_reported(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    kaggle.on(LIST, listing_response({"sample_submission.csv": 18}))
    download(target, reporter)
    assert files_under(target.folder) == FILES
    assert "32 more files than Kaggle lists" in reporter.notes[0]


def test_hashes_are_compared_where_they_are_known(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    right = hashlib.sha256(FILES["test/0.png"]).hexdigest()
    with pytest.raises(DataError, match=r"test/0\.png, by the competition's list"):
        download(target, reporter, sums={"test/0.png": "0" * 64})
    assert workspace_entries(target) == set()
    download(target, reporter, sums={"test/0.png": right})
    own = {**FILES, "SHA256SUMS": f"{right}  test/0.png\n{right}  empty.txt\n".encode()}
    host_files(kaggle, own)
    with pytest.raises(DataError, match=r"Received: empty\.txt, by their own SHA256SUMS"):
        download(target, reporter, again=True)
    assert files_under(target.folder) == FILES


@pytest.mark.parametrize("killed_at", ["check_listing", "unpack", "_check_hashes"])
def test_killed_after_the_transfer_it_asks_for_nothing_more(
    killed_at: str,
    kaggle: FakeKaggle,
    target: DownloadDir,
    reporter: RecordingReporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(fetch, killed_at, killed)
        with pytest.raises(KeyboardInterrupt):
            download(target, reporter)
    assert not target.folder.exists()
    kaggle.requests.clear()
    download(target, reporter)
    assert kaggle.requests == []
    assert files_under(target.folder) == FILES


def test_what_is_unpacked_already_is_not_written_again_and_what_is_wrong_is(
    kaggle: FakeKaggle,
    target: DownloadDir,
    reporter: RecordingReporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(fetch, "_check_hashes", killed)
        with pytest.raises(KeyboardInterrupt):
            download(target, reporter)
    kept, changed = (target.unpacked / f"train/normal/{number}.png" for number in (0, 1))
    os.utime(kept, (1, 1))
    changed.write_bytes(bytes(900))
    (target.unpacked / "stranger").write_text("of another version")
    download(target, reporter)
    assert files_under(target.folder) == FILES
    assert (target.folder / "train/normal/0.png").stat().st_mtime == 1


def test_a_new_version_since_the_list_was_made_is_listed_anew(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter, waits: list[float]
) -> None:
    kaggle.on(ARCHIVE, error_response(503))
    with pytest.raises(KaggleError):
        download(target, reporter)
    newer = {"train/normal/new.png": b"new"}
    host_files(kaggle, newer)
    download(target, reporter)
    assert files_under(target.folder) == newer


def test_a_disk_without_room_is_reported_before_anything_is_fetched(
    kaggle: FakeKaggle,
    target: DownloadDir,
    reporter: RecordingReporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = shutil.disk_usage(target.folder.parent.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=20_000))
    with pytest.raises(DiskSpaceError, match=r"needs 27,7\d\d bytes where 20,000 are free"):
        download(target, reporter)
    assert kaggle.calls == [LIST]
    # Room for what is in the archive, but not for the archive as well.
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=40_000))
    with pytest.raises(DiskSpaceError, match=r"needs 6\d,\d\d\d bytes where 40,000 are free"):
        download(target, reporter)
    assert [*target.part.glob("*.zip")] == []
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "new token"),
        (403, f"https://www.kaggle.com/competitions/{COMPETITION.slug}/rules"),
        (404, "Check the slug"),
        (500, "in some minutes"),
        (503, "in some minutes"),
    ],
)
@pytest.mark.parametrize("call", [LIST, ALL, ARCHIVE])
def test_a_refusal_is_one_sentence_with_what_to_do(
    call: str,
    status: int,
    advice: str,
    kaggle: FakeKaggle,
    target: DownloadDir,
    reporter: RecordingReporter,
) -> None:
    kaggle.on(call, error_response(status, "You must accept\nthis competition's rules."))
    with pytest.raises(KaggleError) as caught:
        download(target, reporter)
    if call == ARCHIVE and status < 500:
        # No matter of credentials or rules: a signed address is valid for some minutes.
        advice = "Run the same command again."
        assert "address of a file on Kaggle's storage" in str(caught.value)
    assert advice in str(caught.value)
    assert str(status) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not target.folder.exists()
    host_files(kaggle, FILES)
    download(target, reporter)
    assert files_under(target.folder) == FILES


def test_some_files_are_fetched_by_their_names(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    kaggle.on(ONE, signed_redirect(ALONE))
    kaggle.on(ALONE, stored_file(FILES["test/0.png"]))
    files = ["test/0.png", "test/0.png"]
    assert download(target, reporter, files=files).downloaded == 1
    assert files_under(target.folder) == {"test/0.png": FILES["test/0.png"]}
    manifest = read_manifest(target.manifest)
    assert manifest is not None
    assert not manifest.is_whole
    kaggle.requests.clear()
    assert download(target, reporter, files=files).downloaded == 0
    assert kaggle.requests == []
    assert download(target, reporter, files=["test/0.png"], again=True).downloaded == 1
    # Some files are not all.
    assert download(target, reporter).downloaded == len(FILES)
    assert files_under(target.folder) == FILES


def test_some_files_do_not_cost_what_is_fetched_of_all(
    kaggle: FakeKaggle,
    target: DownloadDir,
    reporter: RecordingReporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kaggle.on(ALL, error_response(503))
    with pytest.raises(KaggleError):
        download(target, reporter)
    target.archive.write_bytes(zipped(FILES))
    kaggle.on(ONE, signed_redirect(ALONE))
    kaggle.on(ALONE, stored_file(FILES["test/0.png"]))
    download(target, reporter, files=["test/0.png"])
    assert target.archive.is_file()


@pytest.mark.parametrize("name", ["", "../x", "/etc/passwd", "a/../../x"])
def test_a_name_that_leads_outside_is_refused(
    name: str, kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    with pytest.raises(SettingError, match="named by its path in the data"):
        download(target, reporter, files=[name])
    assert kaggle.requests == []


def spreadsheet() -> bytes:
    return zipped({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<y/>"})


@pytest.mark.parametrize(
    ("name", "arrives_as", "sent", "expected"),
    [
        ("d/x.csv", "x.csv", b"1,2", b"1,2"),
        ("d/x.csv", "x.csv.zip", zipped({"x.csv": b"1,2"}, zipfile.ZIP_DEFLATED), b"1,2"),
        ("d/x.csv", "x.csv.zip", zipped({"d/x.csv": b"1,2"}), b"1,2"),
        ("d/x.csv", "x.csv", zipped({"x.csv": b"1,2"}), b"1,2"),
        ("d/x.xlsx", "x.xlsx", spreadsheet(), spreadsheet()),
        ("d/x.zip", "x.zip", zipped({"in": b"1"}), zipped({"in": b"1"})),
        ("d/x.bin", "x.bin", b"PK, but no archive", b"PK, but no archive"),
    ],
)
def test_a_single_file_comes_out_of_the_archive_it_was_sent_in(
    name: str,
    arrives_as: str,
    sent: bytes,
    expected: bytes,
    kaggle: FakeKaggle,
    target: DownloadDir,
    reporter: RecordingReporter,
) -> None:
    address = f"http://storage.test/data/{arrives_as}"
    kaggle.on(LIST, listing_response({name: len(expected)}))
    kaggle.on(ONE, signed_redirect(address))
    kaggle.on(address, stored_file(sent))
    download(target, reporter, files=[name])
    assert files_under(target.folder) == {name: expected}


def test_a_single_file_of_the_dataset_is_requested_by_its_name(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    kaggle.on(OF_DATASET, signed_redirect(ALONE))
    kaggle.on(ALONE, stored_file(FILES["test/0.png"]))
    download_data(DATASET, target.folder, reporter, files=["test/0.png"])
    assert kaggle.requests[1].fields["fileName"] == "test/0.png"
    assert files_under(target.folder) == {"test/0.png": FILES["test/0.png"]}


@pytest.mark.parametrize(
    ("sent", "sums"),
    [
        (b"cut", {}),
        (FILES["test/0.png"], {"test/0.png": "0" * 64}),
        (zipped({"0.png": FILES["test/0.png"]})[:-9], {}),
    ],
    ids=["size", "hash", "cut archive"],
)
def test_a_single_file_that_is_wrong_replaces_nothing(
    sent: bytes,
    sums: dict[str, str],
    kaggle: FakeKaggle,
    target: DownloadDir,
    reporter: RecordingReporter,
) -> None:
    address = f"{ALONE}.zip" if sent[:2] == b"PK" else ALONE
    kaggle.on(ONE, signed_redirect(address))
    kaggle.on(address, stored_file(sent))
    with pytest.raises(DataError):
        download(target, reporter, files=["test/0.png"], sums=sums)
    assert not target.folder.exists()
    kaggle.requests.clear()
    with pytest.raises(DataError):
        download(target, reporter, files=["test/0.png"], sums=sums)
    # What was wrong is not taken for a part.
    assert [seen.headers.get("range") for seen in kaggle.requests if seen.call == address] == [None]


def test_an_unknown_file_names_what_was_requested(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    kaggle.on(ONE, error_response(404, "Not found"))
    with pytest.raises(KaggleError, match=r"404 for nowhere\.png of .*path.*/data$"):
        download(target, reporter, files=["nowhere.png"])


def test_no_secret_is_in_what_is_written(
    kaggle: FakeKaggle, target: DownloadDir, reporter: RecordingReporter
) -> None:
    kaggle.on(ARCHIVE, error_response(403, "x"))
    with pytest.raises(CxrError) as caught:
        download(target, reporter)
    written = b"".join(files_under(target.folder.parent).values()) + str(caught.value).encode()
    assert b"s1gnature" not in written
    assert b"k3y-of-mary" not in written


def test_a_folder_has_its_own_place(
    kaggle: FakeKaggle, tmp_path: Path, reporter: RecordingReporter
) -> None:
    download_data(COMPETITION, tmp_path / "raw", reporter)
    download_data(DATASET, tmp_path / "kermany", reporter)
    assert files_under(tmp_path / "raw") == files_under(tmp_path / "kermany") == FILES
    assert {"download.json", "download-kermany.json"} <= {path.name for path in tmp_path.iterdir()}
