"""What a kernel left comes home whole, from every page, and inside its folder."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.core.progress import Silent
from kagglecxr.remote.errors import KaggleError
from kagglecxr.remote.kernels.status import fetch_output
from tests.remote.fake_kaggle import FakeKaggle, FakeResponse, error_response, json_response
from tests.remote.kernels.fake_kernels import OUTPUT, FakeKernels

KERNEL = "mary/umons-train"
FILES = {f"deep/er/{name}.csv": name.encode() * 1000 for name in "abcde"}


def test_every_page_arrives_with_the_log(fake_kernels: FakeKernels, tmp_path: Path) -> None:
    fake_kernels.files = FILES
    output = fetch_output(KERNEL, tmp_path / "out", Silent())
    found = {str(path.relative_to(tmp_path / "out")): path.read_bytes() for path in output.files}
    assert found == FILES
    assert output.log.read_text() == "it ran\n"
    assert output.log.name == "umons-train.log"


def test_what_is_there_is_not_written_again(fake_kernels: FakeKernels, tmp_path: Path) -> None:
    fake_kernels.files = FILES
    first = fetch_output(KERNEL, tmp_path, Silent()).files[0]
    before = first.stat().st_mtime_ns
    fake_kernels.files = FILES | {"deep/er/a.csv": b"longer" * 1000}
    fetch_output(KERNEL, tmp_path, Silent())
    assert first.read_bytes() == b"longer" * 1000
    second = fetch_output(KERNEL, tmp_path, Silent()).files[1]
    assert second.stat().st_mtime_ns >= before


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


def test_a_file_that_breaks_off_is_not_kept(
    fake_kernels: FakeKernels, fake_kaggle: FakeKaggle, tmp_path: Path
) -> None:
    address = "http://storage.test/a.csv"
    fake_kaggle.on(OUTPUT, json_response({"files": [{"fileName": "a.csv", "url": address}]}))
    fake_kaggle.on(address, FakeResponse(200, b"1" * 1000, sent=10))
    with pytest.raises(KaggleError, match="not arrive whole"):
        fetch_output(KERNEL, tmp_path, Silent())
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


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
