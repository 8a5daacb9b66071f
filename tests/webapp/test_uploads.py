"""What is uploaded is taken for what it is, whatever it is called, and refused in a sentence."""

import io
import zlib
from pathlib import Path
from struct import pack

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset

from kagglecxr.core.errors import DataError
from kagglecxr.webapp.uploads import MAX_MEGABYTES, MAX_PIXELS, decode_upload
from tests.data.images.test_dicom import STEPS, dataset

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)


def encoded(suffix: str) -> bytes:
    return cv2.imencode(suffix, GREY)[1].tobytes()


def as_dicom(made: Dataset) -> bytes:
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it has this size, with the pixels of its first line."""
    data = zlib.compress(bytes(width + 1))
    header = pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(body)) + name + body + pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def refused(name: str, data: bytes) -> str:
    with pytest.raises(DataError) as raised:
        decode_upload(name, data)
    assert name in str(raised.value)
    assert "skip-broken" not in str(raised.value)
    return str(raised.value)


def test_a_png_has_its_pixels() -> None:
    assert np.array_equal(decode_upload("a.png", encoded(".png")), GREY)


def test_a_jpeg_that_is_called_png_is_taken() -> None:
    assert decode_upload("A.PNG", encoded(".jpg")).shape == GREY.shape


def test_dicom_is_decoded_as_it_is_displayed() -> None:
    decoded = decode_upload("chest.dcm", as_dicom(dataset(STEPS)))
    assert decoded.tolist() == [[0, 64], [128, 255]]


def test_an_empty_file_is_called_empty() -> None:
    assert "which is empty" in refused("notes.png", b"")


@pytest.mark.parametrize("data", [b"these are words\n", b"GIF89a", encoded(".bmp")])
def test_what_is_no_xray_is_refused_by_its_content(data: bytes) -> None:
    assert "whose content is something else" in refused("notes.png", data)


@pytest.mark.parametrize("name", ["a.gif", "a", "a.png.exe", ".png"])
def test_other_suffixes_are_refused(name: str) -> None:
    assert "another suffix" in refused(name, encoded(".png"))


def test_a_file_above_the_limit_is_refused_before_it_is_read() -> None:
    assert f"at most {MAX_MEGABYTES} MB" in refused("a.png", bytes((MAX_MEGABYTES + 1) * 2**20))


@pytest.mark.parametrize("sides", [(2**14, 2**13), (2**15, 2**15)])
def test_a_small_file_of_a_large_image_is_refused(sides: tuple[int, int]) -> None:
    assert f"{MAX_PIXELS:,}" in refused("bomb.png", png_of(*sides))


def test_large_dicom_is_refused_by_its_header() -> None:
    made = dataset(STEPS)
    made.Rows, made.Columns = 60_000, 60_000
    assert f"{MAX_PIXELS:,}" in refused("bomb.dcm", as_dicom(made))


def test_deflated_dicom_is_refused_unread() -> None:
    made = dataset(STEPS)
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    assert "deflated" in refused("bomb.dcm", as_dicom(made))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_cut_file_is_refused(suffix: str) -> None:
    assert "cannot be read" in refused(f"a{suffix}", encoded(suffix)[:-8])


def test_dicom_without_an_image_is_refused() -> None:
    made = dataset(STEPS)
    del made.Rows
    assert "cannot be read" in refused("a.dcm", as_dicom(made))


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    decode_upload("a.png", encoded(".png"))
    assert not list(tmp_path.iterdir())
