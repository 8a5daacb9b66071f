"""What can be downloaded, and all pages of its list of files."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.progress import Silent
from kagglecxr.remote.archives import FileStat
from kagglecxr.remote.download.source import (
    KaggleSource,
    check_listing,
    check_sha256,
    compare_with_listing,
    list_files,
    read_sha256sums,
)
from kagglecxr.remote.errors import KaggleError
from tests.remote.download.conftest import COMPETITION, DATASET
from tests.remote.download.hosted_data import LIST, LIST_OF_DATASET, listing_response
from tests.remote.fake_kaggle import (
    FakeKaggle,
    FakeResponse,
    RecordedRequest,
    error_response,
    json_response,
)
from tests.remote.recording import FakeClock, RecordingReporter


def test_a_source_on_kaggle_becomes_an_origin() -> None:
    assert KaggleSource.of("competition", COMPETITION.slug, "umons-covid19") == COMPETITION
    assert KaggleSource.of("dataset", "mary/lungs", "lungs") == DATASET
    assert KaggleSource.of("dataset", "mary/lungs/3", "lungs").slug == "mary/lungs/3"


@pytest.mark.parametrize(
    ("kind", "following"), [("demo", "prepare x$"), ("folder", "prepare x --data FOLDER$")]
)
def test_what_kaggle_does_not_serve_names_the_verb_that_comes_next(
    kind: str, following: str
) -> None:
    with pytest.raises(SettingError, match=rf"nothing to download.*kagglecxr\.{following}"):
        KaggleSource.of(kind, "", "x")


@pytest.mark.parametrize(
    ("kind", "slug"),
    [
        ("competition", ""),
        ("competition", "c/covid-19"),
        ("competition", "https://www.kaggle.com/competitions/covid-19"),
        ("dataset", ""),
        ("dataset", "lungs"),
        ("dataset", "mary/"),
        ("dataset", "https://www.kaggle.com/datasets/mary/lungs"),
    ],
)
def test_a_slug_in_another_form_is_refused(kind: str, slug: str) -> None:
    with pytest.raises(SettingError, match=rf"The slug of a {kind} is .*\[source\] of x"):
        KaggleSource.of(kind, slug, "x")


def test_a_refusal_names_the_page_to_open() -> None:
    assert f"/competitions/{COMPETITION.slug}/rules" in COMPETITION.context().if_refused
    assert "https://www.kaggle.com/datasets/mary/lungs," in DATASET.context().if_refused
    with_version = KaggleSource("dataset", "mary/lungs/3", "lungs")
    assert with_version.context().if_unknown.endswith("/datasets/mary/lungs")
    for origin in (COMPETITION, DATASET):
        assert f"prepare {origin.name} --data" in origin.context().instead


SIZES = {f"train/{number}.png": number for number in range(450)}


@pytest.mark.parametrize(
    ("origin", "call", "name"),
    [(COMPETITION, LIST, "files"), (DATASET, LIST_OF_DATASET, "datasetFiles")],
)
def test_all_pages_are_requested(
    origin: KaggleSource, call: str, name: str, fake_kaggle: FakeKaggle, reporter: RecordingReporter
) -> None:
    fake_kaggle.on(call, listing_response(SIZES, name))
    assert list_files(origin, reporter) == SIZES
    assert fake_kaggle.calls == [call] * 3
    assert [seen.fields["pageSize"] for seen in fake_kaggle.requests] == [200] * 3


def test_it_stops_where_all_wanted_files_are_found(
    fake_kaggle: FakeKaggle, reporter: RecordingReporter
) -> None:
    fake_kaggle.on(LIST, listing_response(SIZES))
    assert list_files(COMPETITION, reporter, ["train/250.png"])["train/250.png"] == 250
    assert len(fake_kaggle.calls) == 2


def test_an_empty_page_is_not_the_end(fake_kaggle: FakeKaggle, reporter: RecordingReporter) -> None:
    fake_kaggle.on(
        LIST,
        json_response({"files": [], "nextPageToken": "a"}),
        json_response({"files": [{"name": "x.png", "totalBytes": 3}]}),
    )
    assert list_files(COMPETITION, reporter) == {"x.png": 3}


def test_empty_pages_without_end_are_an_end(
    fake_kaggle: FakeKaggle, reporter: RecordingReporter
) -> None:
    fake_kaggle.on(
        LIST, lambda seen: json_response({"nextPageToken": f"{len(fake_kaggle.requests)}"})
    )
    assert list_files(COMPETITION, reporter) == {}
    assert len(fake_kaggle.calls) == 3


def test_a_list_that_goes_round_in_a_circle_is_refused(
    fake_kaggle: FakeKaggle, reporter: RecordingReporter
) -> None:
    page = {"files": [{"name": "x.png", "totalBytes": 3}], "nextPageToken": "a"}
    fake_kaggle.on(LIST, json_response(page))
    with pytest.raises(KaggleError, match="has no end"):
        list_files(COMPETITION, reporter)


def test_sizes_given_as_text_or_not_at_all_are_numbers(
    fake_kaggle: FakeKaggle, reporter: RecordingReporter
) -> None:
    fake_kaggle.on(
        LIST, json_response({"files": [{"name": "a", "totalBytes": "7"}, {"name": "b"}]})
    )
    assert list_files(COMPETITION, reporter) == {"a": 7, "b": 0}


def test_too_many_requests_are_waited_out_on_the_page_that_was_refused(
    fake_kaggle: FakeKaggle, clock: FakeClock, reporter: RecordingReporter
) -> None:
    pages = listing_response(SIZES)
    busy = FakeResponse(429, headers={"Retry-After": "7"})
    answers = iter([None, busy, None, None])

    def answer(seen: RecordedRequest) -> FakeResponse:
        return next(answers) or pages(seen)

    fake_kaggle.on(LIST, answer)
    assert list_files(COMPETITION, reporter) == SIZES
    assert clock.slept == [7.0]
    assert "trying again in 7 s" in reporter.notes[0]
    tokens = [seen.fields.get("pageToken") or "" for seen in fake_kaggle.requests]
    assert tokens == ["", "200", "200", "400"]


def test_what_kaggle_says_in_place_of_a_list_is_reported(
    fake_kaggle: FakeKaggle, reporter: RecordingReporter
) -> None:
    fake_kaggle.on(LIST_OF_DATASET, json_response({"errorMessage": "is being processed"}))
    with pytest.raises(KaggleError, match="is being processed"):
        list_files(DATASET, reporter)


def test_a_refusal_names_the_list(fake_kaggle: FakeKaggle, reporter: RecordingReporter) -> None:
    fake_kaggle.on(LIST, error_response(403, "Permission 'competitions.participate' was denied"))
    with pytest.raises(KaggleError, match=r"403 for the list of files of .*/rules"):
        list_files(COMPETITION, reporter)


SUM = hashlib.sha256(b"lungs").hexdigest()


def found(sizes: dict[str, int]) -> dict[str, FileStat]:
    return {name: FileStat(size, 0) for name, size in sizes.items()}


NAMES = st.dictionaries(st.sampled_from(["a", "d/a", "d/b", "e/b", "c"]), st.integers(1, 3))


@given(sizes=NAMES)
def test_what_is_listed_and_arrived_is_right(sizes: dict[str, int]) -> None:
    assert compare_with_listing(sizes, found(sizes)) == []


@given(sizes=NAMES, more=NAMES)
def test_what_is_not_listed_is_no_fault(sizes: dict[str, int], more: dict[str, int]) -> None:
    assert compare_with_listing(sizes, found({**more, **sizes})) == []


@given(sizes=NAMES.filter(bool), data=st.data())
def test_every_missing_or_changed_file_is_named(sizes: dict[str, int], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(sizes)))
    without = {other: size for other, size in sizes.items() if other != name}
    assert compare_with_listing(sizes, found(without)) == [f"{name} (missing)"]
    changed = sizes | {name: sizes[name] + 10}
    assert compare_with_listing(sizes, found(changed)) == [
        f"{name} ({sizes[name] + 10} bytes of {sizes[name]})"
    ]


def test_a_list_may_leave_out_folders_and_sizes() -> None:
    arrived = found({"top/x/1.png": 3, "top/y/1.png": 4, "top/z.csv": 5})
    assert compare_with_listing({"1.png": 3, "z.csv": 5}, arrived) == []
    assert compare_with_listing({"top/z.csv": 0}, arrived) == []
    # Two of one name and size are listed, and one is there.
    assert compare_with_listing({"x/1.png": 3, "y/1.png": 3}, arrived) == ["y/1.png (missing)"]


def test_a_difference_is_refused_in_one_sentence() -> None:
    with pytest.raises(DataError, match=r"a \(missing\), b \(missing\), c .* and 1 more, in lungs"):
        check_listing(dict.fromkeys("abcd", 1), {}, "lungs")


def test_a_list_of_hashes_is_read_in_sha256sum_s_forms(tmp_path: Path) -> None:
    path = tmp_path / "sums"
    path.write_text(f"{SUM}  a b.png\n\n{SUM.upper()} *./d/c.png\r\n")
    assert read_sha256sums(path) == {"a b.png": SUM, "d/c.png": SUM}


@pytest.mark.parametrize("line", ["abc  x", f"{SUM}", f"{SUM} x", f"SHA256 (x) = {SUM}"])
def test_a_line_in_another_form_is_refused_by_its_number(line: str, tmp_path: Path) -> None:
    path = tmp_path / "sums"
    path.write_text(f"{SUM}  x\n{line}\n")
    with pytest.raises(DataError, match=r"line 2 of .*sums"):
        read_sha256sums(path)


def test_a_list_of_hashes_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"nowhere.*sha256sums"):
        read_sha256sums(tmp_path / "nowhere")


def test_hashes_are_compared(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"lungs")
    (tmp_path / "y").write_bytes(b"livers")
    files = {name: tmp_path / name for name in ("x", "y")}
    check_sha256({"x": SUM}, files, "the list", Silent())
    with pytest.raises(DataError, match=r"Received: y, z \(missing\), by the list"):
        check_sha256({"x": SUM, "y": SUM, "z": SUM}, files, "the list", Silent())
