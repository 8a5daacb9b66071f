"""A kernel's output is downloaded whole, from every page, and into its folder; its log is read."""

import json
from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.core.progress import Silent
from kagglecxr.remote.errors import KaggleError
from kagglecxr.remote.kernels.status import fetch_output, log_tail
from tests.remote.fake_kaggle import (
    FakeKaggle,
    FakeResponse,
    error_response,
    json_response,
    stored_file,
)
from tests.remote.kernels.fake_kernels import OUTPUT, FakeKernels

KERNEL = "mary/umons-train"
FILES = {f"deep/er/{name}.csv": name.encode() * 1000 for name in "abcde"}


def test_every_page_arrives_with_the_log(fake_kernels: FakeKernels, tmp_path: Path) -> None:
    fake_kernels.files = FILES
    files = fetch_output(KERNEL, tmp_path / "out", Silent())
    found = {str(path.relative_to(tmp_path / "out")): path.read_bytes() for path in files}
    assert found == FILES | {"umons-train.log": b"it ran\n"}


def test_what_is_there_is_not_written_again(fake_kernels: FakeKernels, tmp_path: Path) -> None:
    fake_kernels.files = FILES
    first = fetch_output(KERNEL, tmp_path, Silent())[0]
    fake_kernels.files = FILES | {"deep/er/a.csv": b"longer" * 1000}
    fetch_output(KERNEL, tmp_path, Silent())
    assert first.read_bytes() == b"longer" * 1000
    first.write_bytes(b"sh0rter" * 1000)
    fetch_output(KERNEL, tmp_path, Silent())
    assert first.read_bytes() == b"sh0rter" * 1000


@pytest.mark.parametrize("name", ["../out.csv", "/etc/out.csv", "a/../../out.csv", ".", ""])
def test_a_name_that_leads_outside_is_refused(
    name: str, fake_kernels: FakeKernels, tmp_path: Path
) -> None:
    fake_kernels.files = {name: b"1"}
    with pytest.raises(DataError, match="leads outside"):
        fetch_output(KERNEL, tmp_path / "in", Silent())
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    "answer", [FakeResponse(403, b"<Error>expired</Error>"), FakeResponse(500, b"sorry")]
)
def test_an_error_page_is_no_file(
    answer: FakeResponse, fake_kernels: FakeKernels, fake_kaggle: FakeKaggle, tmp_path: Path
) -> None:
    address = "http://storage.test/a.csv"
    fake_kaggle.on(OUTPUT, json_response({"files": [{"fileName": "a.csv", "url": address}]}))
    fake_kaggle.on(address, answer)
    with pytest.raises(KaggleError, match=str(answer.status)):
        fetch_output(KERNEL, tmp_path, Silent())
    assert not (tmp_path / "a.csv").exists()


def test_a_file_that_breaks_off_is_an_error_and_completed_the_next_time(
    fake_kernels: FakeKernels,
    fake_kaggle: FakeKaggle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    address = "http://storage.test/a.csv"
    fake_kaggle.on(OUTPUT, json_response({"files": [{"fileName": "a.csv", "url": address}]}))
    fake_kaggle.on(address, FakeResponse(200, b"1" * 1000, sent=10))
    with pytest.raises(KaggleError, match="is incomplete"):
        fetch_output(KERNEL, tmp_path, Silent())
    fake_kaggle.on(address, stored_file(b"1" * 1000))
    assert fetch_output(KERNEL, tmp_path, Silent()) == [tmp_path / "a.csv"]
    assert (tmp_path / "a.csv").read_bytes() == b"1" * 1000


def test_no_signature_gets_into_a_message(
    fake_kernels: FakeKernels, fake_kaggle: FakeKaggle, tmp_path: Path
) -> None:
    address = "http://storage.test/a.csv"
    signed = {"fileName": "a.csv", "url": f"{address}?X-Goog-Signature=s1gnature"}
    fake_kaggle.on(OUTPUT, json_response({"files": [signed]}))
    fake_kaggle.on(address, error_response(403))
    with pytest.raises(KaggleError, match=r"a\.csv") as caught:
        fetch_output(KERNEL, tmp_path, Silent())
    assert "s1gnature" not in str(caught.value)


def test_the_log_s_last_lines_are_shown_in_either_of_its_forms(
    fake_kernels: FakeKernels, fake_kaggle: FakeKaggle
) -> None:
    assert log_tail(KERNEL, Silent()) == ["it ran"]
    printed = ["one\ntw", "o\n\n", "three\n"]
    entries = [{"stream_name": "stdout", "time": 1.5, "data": data} for data in printed]
    fake_kaggle.on(OUTPUT, json_response({"log": json.dumps(entries)}))
    assert log_tail(KERNEL, Silent(), 2) == ["two", "three"]


@pytest.mark.parametrize("answer", [error_response(404), json_response({})])
def test_a_kernel_without_a_log_has_no_lines(answer: FakeResponse, fake_kaggle: FakeKaggle) -> None:
    fake_kaggle.on(OUTPUT, answer)
    assert log_tail(KERNEL, Silent()) == []
