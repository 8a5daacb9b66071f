"""From Kaggle to files in their place: whole or not at all, and nothing fetched without need."""

import hashlib
import os
import shutil
import zipfile
from pathlib import Path
from random import Random

import pytest
from filelock import FileLock

from kagglecxr.core.errors import CxrError, DataError, SettingError
from kagglecxr.remote.downloads import whole
from kagglecxr.remote.downloads.downloading import (
    BusyError,
    Downloaded,
    Request,
    download_data,
    is_not_ours,
)
from kagglecxr.remote.downloads.manifest import read_manifest
from kagglecxr.remote.downloads.manner import Manner
from kagglecxr.remote.downloads.origin import Origin
from kagglecxr.remote.downloads.placing import Place
from kagglecxr.remote.failures import KaggleError
from kagglecxr.remote.room import RoomError
from tests.remote.downloads.conftest import COMPETITION, DATASET
from tests.remote.downloads.served import (
    ALL,
    ARCHIVE,
    LIST,
    LIST_OF_DATASET,
    OF_DATASET,
    ONE,
    files_under,
    listed,
    serve,
    signed,
    zipped,
)
from tests.remote.listening import Told
from tests.remote.stand_in import StandIn, refused, stored, tar_gz

random = Random(0)
FILES = {
    **{f"train/normal/{number}.png": random.randbytes(900) for number in range(30)},
    "test/0.png": random.randbytes(700),
    "sample_submission.csv": b"id,label\n0,normal\n",
    "empty.txt": b"",
}
ALL_FILES = Request()
ALONE = "http://storage.test/data/0.png"


@pytest.fixture
def kaggle(stand_in: StandIn) -> StandIn:
    serve(stand_in, FILES)
    return stand_in


def download(place: Place, manner: Manner, request: Request = ALL_FILES) -> Downloaded:
    return download_data(COMPETITION, place.folder, request, manner)


def beside(place: Place) -> set[str]:
    names = {path.name for path in place.folder.parent.iterdir()}
    return names - {f".downloading-{place.folder.name}.lock"}


@pytest.mark.parametrize(
    ("origin", "calls"),
    [(COMPETITION, [LIST, ALL]), (DATASET, [LIST_OF_DATASET, OF_DATASET])],
)
def test_all_files_arrive_in_their_place_and_nothing_else(
    origin: Origin, calls: list[str], kaggle: StandIn, place: Place, manner: Manner
) -> None:
    done = download_data(origin, place.folder, Request(), manner)
    assert files_under(place.folder) == FILES
    assert beside(place) == {"raw", "download.json"}
    assert kaggle.calls == [*calls, ARCHIVE]
    assert done.fetched == len(FILES)
    assert str(done) == f"Downloaded 33 files (27.7 kB) of {origin}: {place.folder}."


def test_an_archive_in_the_other_form_is_unpacked_as_well(
    kaggle: StandIn, place: Place, manner: Manner
) -> None:
    kaggle.on(ARCHIVE, stored(tar_gz(FILES)))
    download(place, manner)
    assert files_under(place.folder) == FILES
    assert download(place, manner).fetched == 0


def test_what_is_there_and_whole_is_not_asked_for_again(
    kaggle: StandIn, place: Place, manner: Manner
) -> None:
    download(place, manner)
    kaggle.seen.clear()
    done = download(place, manner)
    assert kaggle.seen == []
    assert str(done) == (
        f"There are 33 files (27.7 kB) of {COMPETITION} already, whole: {place.folder}."
    )


def test_again_means_again(kaggle: StandIn, place: Place, manner: Manner) -> None:
    download(place, manner)
    newer = {"train/normal/new.png": b"new"}
    serve(kaggle, newer)
    download(place, manner, Request(again=True))
    assert files_under(place.folder) == newer


def test_a_few_missing_files_are_fetched_alone(
    kaggle: StandIn, place: Place, manner: Manner, told: Told
) -> None:
    download(place, manner)
    (place.folder / "test" / "0.png").write_bytes(b"cut")
    (place.folder / "sample_submission.csv").unlink()
    alone = "http://storage.test/data/sample_submission.csv.zip"
    kaggle.on(ONE, lambda seen: signed(ALONE if "0.png" in seen.fields["fileName"] else alone))
    kaggle.on(ALONE, stored(FILES["test/0.png"]))
    kaggle.on(alone, stored(zipped({"sample_submission.csv": FILES["sample_submission.csv"]})))
    kaggle.seen.clear()
    assert download(place, manner).fetched == 2
    assert files_under(place.folder) == FILES
    assert kaggle.calls == [ONE, ALONE, ONE, alone]
    assert beside(place) == {"raw", "download.json"}


def test_a_missing_file_that_is_another_by_now_is_refused(
    kaggle: StandIn, place: Place, manner: Manner
) -> None:
    download(place, manner)
    (place.folder / "test" / "0.png").unlink()
    kaggle.on(ONE, signed(ALONE))
    kaggle.on(ALONE, stored(bytes(700)))
    with pytest.raises(DataError, match=r"another version of a file.*--again"):
        download(place, manner)
    assert not (place.folder / "test" / "0.png").exists()


def test_many_missing_files_are_fetched_as_an_archive(
    kaggle: StandIn, place: Place, manner: Manner
) -> None:
    download(place, manner)
    shutil.rmtree(place.folder / "train")
    kaggle.seen.clear()
    download(place, manner)
    assert kaggle.calls == [LIST, ALL, ARCHIVE]
    assert files_under(place.folder) == FILES


def test_data_of_other_origin_are_not_replaced_unless_told(
    kaggle: StandIn, place: Place, manner: Manner
) -> None:
    place.folder.mkdir(parents=True)
    (place.folder / "mine").write_text("mine")
    assert is_not_ours(place.folder)
    with pytest.raises(DataError, match=r"data already.*--again.*kagglecxr\.prepare umons-covid19"):
        download(place, manner)
    assert files_under(place.folder) == {"mine": b"mine"}
    assert kaggle.seen == []
    download(place, manner, Request(again=True))
    assert files_under(place.folder) == FILES
    assert not is_not_ours(place.folder)
    with pytest.raises(DataError, match=f"a download of {DATASET}.*of {COMPETITION} origin"):
        download_data(DATASET, place.folder, Request(), manner)


def test_two_at_once_are_refused(kaggle: StandIn, place: Place, manner: Manner) -> None:
    place.folder.parent.mkdir(parents=True)
    with FileLock(place.folder.with_name(".downloading-raw.lock")), pytest.raises(BusyError):
        download(place, manner)
    assert download(place, manner).fetched == len(FILES)


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
    archive: bytes, kaggle: StandIn, place: Place, manner: Manner
) -> None:
    kaggle.on(ARCHIVE, stored(archive))
    with pytest.raises(DataError, match="the same command again") as caught:
        download(place, manner)
    assert "\n" not in str(caught.value)
    assert beside(place) == set()
    kaggle.on(ARCHIVE, stored(zipped(FILES)))
    download(place, manner)
    assert files_under(place.folder) == FILES


def test_a_changed_byte_is_refused_by_its_checksum(
    kaggle: StandIn, place: Place, manner: Manner
) -> None:
    archive = bytearray(zipped(FILES))
    archive[archive.index(FILES["test/0.png"]) + 7] ^= 1
    kaggle.on(ARCHIVE, stored(bytes(archive)))
    with pytest.raises(DataError, match=r"Bad CRC-32 for file 'test/0\.png'"):
        download(place, manner)
    assert beside(place) == set()


def test_what_kaggle_does_not_list_is_kept_and_told(
    kaggle: StandIn, place: Place, manner: Manner, told: Told
) -> None:
    kaggle.on(LIST, listed({"sample_submission.csv": 18}))
    download(place, manner)
    assert files_under(place.folder) == FILES
    assert "32 files more than Kaggle lists" in told.notes[0]


def test_hashes_are_compared_where_they_are_known(
    kaggle: StandIn, place: Place, manner: Manner
) -> None:
    right = hashlib.sha256(FILES["test/0.png"]).hexdigest()
    with pytest.raises(DataError, match=r"test/0\.png, by the competition's list"):
        download(place, manner, Request(sums={"test/0.png": "0" * 64}))
    assert beside(place) == set()
    download(place, manner, Request(sums={"test/0.png": right}))
    own = {**FILES, "SHA256SUMS": f"{right}  test/0.png\n{right}  empty.txt\n".encode()}
    serve(kaggle, own)
    with pytest.raises(DataError, match=r"Received: empty\.txt, by their own SHA256SUMS"):
        download(place, manner, Request(again=True))
    assert files_under(place.folder) == FILES


@pytest.mark.parametrize("killed_at", ["check_against_list", "unpack", "_check_hashes"])
def test_killed_after_the_transfer_it_asks_for_nothing_more(
    killed_at: str,
    kaggle: StandIn,
    place: Place,
    manner: Manner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(whole, killed_at, killed)
        with pytest.raises(KeyboardInterrupt):
            download(place, manner)
    assert not place.folder.exists()
    kaggle.seen.clear()
    download(place, manner)
    assert kaggle.seen == []
    assert files_under(place.folder) == FILES


def test_what_is_unpacked_already_is_not_written_again_and_what_is_wrong_is(
    kaggle: StandIn, place: Place, manner: Manner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(whole, "_check_hashes", killed)
        with pytest.raises(KeyboardInterrupt):
            download(place, manner)
    kept, changed = (place.unpacked / f"train/normal/{number}.png" for number in (0, 1))
    os.utime(kept, (1, 1))
    changed.write_bytes(bytes(900))
    (place.unpacked / "stranger").write_text("of another version")
    download(place, manner)
    assert files_under(place.folder) == FILES
    assert (place.folder / "train/normal/0.png").stat().st_mtime == 1


def test_a_new_version_since_the_list_was_made_is_listed_anew(
    kaggle: StandIn, place: Place, manner: Manner, waits: list[float]
) -> None:
    kaggle.on(ARCHIVE, refused(503))
    with pytest.raises(KaggleError):
        download(place, manner)
    newer = {"train/normal/new.png": b"new"}
    serve(kaggle, newer)
    download(place, manner)
    assert files_under(place.folder) == newer


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    kaggle: StandIn, place: Place, manner: Manner, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(place.folder.parent.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=20_000))
    with pytest.raises(RoomError, match=r"needs 27,7\d\d bytes where 20,000 are free"):
        download(place, manner)
    assert kaggle.calls == [LIST]
    # Room for what is in the archive, but not for the archive as well.
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=40_000))
    with pytest.raises(RoomError, match=r"needs 6\d,\d\d\d bytes where 40,000 are free"):
        download(place, manner)
    assert [*place.part.glob("*.zip")] == []
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
    call: str, status: int, advice: str, kaggle: StandIn, place: Place, manner: Manner
) -> None:
    kaggle.on(call, refused(status, "You must accept\nthis competition's rules."))
    with pytest.raises(KaggleError) as caught:
        download(place, manner)
    assert advice in str(caught.value)
    assert str(status) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not place.folder.exists()
    serve(kaggle, FILES)
    download(place, manner)
    assert files_under(place.folder) == FILES


def test_some_files_are_fetched_by_their_names(
    kaggle: StandIn, place: Place, manner: Manner
) -> None:
    kaggle.on(ONE, signed(ALONE))
    kaggle.on(ALONE, stored(FILES["test/0.png"]))
    request = Request(files=["test/0.png", "test/0.png"])
    assert download(place, manner, request).fetched == 1
    assert files_under(place.folder) == {"test/0.png": FILES["test/0.png"]}
    manifest = read_manifest(place.manifest)
    assert manifest is not None
    assert not manifest.is_whole
    kaggle.seen.clear()
    assert download(place, manner, request).fetched == 0
    assert kaggle.seen == []
    assert download(place, manner, Request(files=["test/0.png"], again=True)).fetched == 1
    # Some files are not all.
    assert download(place, manner).fetched == len(FILES)
    assert files_under(place.folder) == FILES


def test_some_files_do_not_cost_what_is_fetched_of_all(
    kaggle: StandIn, place: Place, manner: Manner, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle.on(ALL, refused(503))
    with pytest.raises(KaggleError):
        download(place, manner)
    place.archive.write_bytes(zipped(FILES))
    kaggle.on(ONE, signed(ALONE))
    kaggle.on(ALONE, stored(FILES["test/0.png"]))
    download(place, manner, Request(files=["test/0.png"]))
    assert place.archive.is_file()


@pytest.mark.parametrize("name", ["", "../x", "/etc/passwd", "a/../../x"])
def test_a_name_that_leads_outside_is_refused(
    name: str, kaggle: StandIn, place: Place, manner: Manner
) -> None:
    with pytest.raises(SettingError, match="named by its path in the data"):
        download(place, manner, Request(files=[name]))
    assert kaggle.seen == []


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
    kaggle: StandIn,
    place: Place,
    manner: Manner,
) -> None:
    address = f"http://storage.test/data/{arrives_as}"
    kaggle.on(LIST, listed({name: len(expected)}))
    kaggle.on(ONE, signed(address))
    kaggle.on(address, stored(sent))
    download(place, manner, Request(files=[name]))
    assert files_under(place.folder) == {name: expected}


def test_a_single_file_of_the_dataset_is_asked_for_by_its_name(
    kaggle: StandIn, place: Place, manner: Manner
) -> None:
    kaggle.on(OF_DATASET, signed(ALONE))
    kaggle.on(ALONE, stored(FILES["test/0.png"]))
    download_data(DATASET, place.folder, Request(files=["test/0.png"]), manner)
    assert kaggle.seen[1].fields["fileName"] == "test/0.png"
    assert files_under(place.folder) == {"test/0.png": FILES["test/0.png"]}


@pytest.mark.parametrize(
    ("sent", "request_of_it"),
    [
        (b"cut", Request(files=["test/0.png"])),
        (FILES["test/0.png"], Request(files=["test/0.png"], sums={"test/0.png": "0" * 64})),
        (zipped({"0.png": FILES["test/0.png"]})[:-9], Request(files=["test/0.png"])),
    ],
    ids=["size", "hash", "cut archive"],
)
def test_a_single_file_that_is_wrong_replaces_nothing(
    sent: bytes, request_of_it: Request, kaggle: StandIn, place: Place, manner: Manner
) -> None:
    address = f"{ALONE}.zip" if sent[:2] == b"PK" else ALONE
    kaggle.on(ONE, signed(address))
    kaggle.on(address, stored(sent))
    with pytest.raises(DataError):
        download(place, manner, request_of_it)
    assert not place.folder.exists()
    kaggle.seen.clear()
    with pytest.raises(DataError):
        download(place, manner, request_of_it)
    # What was wrong is not taken for a part.
    assert [seen.headers.get("range") for seen in kaggle.seen if seen.call == address] == [None]


def test_an_unknown_file_names_what_was_asked_for(
    kaggle: StandIn, place: Place, manner: Manner
) -> None:
    kaggle.on(ONE, refused(404, "Not found"))
    with pytest.raises(KaggleError, match=r"404 for nowhere\.png of .*path.*/data$"):
        download(place, manner, Request(files=["nowhere.png"]))


def test_no_secret_is_in_what_is_written(kaggle: StandIn, place: Place, manner: Manner) -> None:
    kaggle.on(ARCHIVE, refused(403, "x"))
    with pytest.raises(CxrError) as caught:
        download(place, manner)
    written = b"".join(files_under(place.folder.parent).values()) + str(caught.value).encode()
    assert b"s1gnature" not in written
    assert b"k3y-of-mary" not in written


def test_a_folder_has_its_own_place(kaggle: StandIn, tmp_path: Path, manner: Manner) -> None:
    download_data(COMPETITION, tmp_path / "raw", Request(), manner)
    download_data(DATASET, tmp_path / "kermany", Request(), manner)
    assert files_under(tmp_path / "raw") == files_under(tmp_path / "kermany") == FILES
    assert {"download.json", "download-kermany.json"} <= {path.name for path in tmp_path.iterdir()}
