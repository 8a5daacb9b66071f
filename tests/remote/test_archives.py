"""An archive is unpacked whole and inside its folder, or refused."""

import io
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import DiskSpaceError
from kagglecxr.remote import archives
from kagglecxr.remote.archives import list_archive, unpack
from tests.remote.fake_kaggle import tar_gz

# Compresses to half, so that a changed bit may fall into codes and into their tables.
FILES = {"config.json": b"{}" * 200, "deep/er/weights": Random(0).randbytes(4000).hex().encode()}


def zipped(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tar_of(*members: tarfile.TarInfo) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return stream.getvalue()


def link_in_zip(name: str, target: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, target)
        archive.writestr(f"{name}/out", b"1")
    return stream.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    info.size = 3 if kind == tarfile.REGTYPE else 0
    return info


def unpacked(content: bytes, root: Path) -> dict[str, bytes]:
    """Unpacks into root/in, and says what is under root afterwards but for the archive."""
    archive = root / "archive"
    archive.write_bytes(content)
    (root / "in").mkdir()
    unpack(archive, root / "in", "the model")
    archive.unlink()
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("packed", [tar_gz, zipped])
def test_every_file_arrives(packed: Callable[[Mapping[str, bytes]], bytes], tmp_path: Path) -> None:
    files = {f"in/{name}": content for name, content in FILES.items()}
    assert unpacked(packed(FILES), tmp_path) == files


@pytest.mark.parametrize(
    "content",
    [
        tar_of(member("../out")),
        tar_of(member("in/../../out")),
        tar_of(member("link", tarfile.SYMTYPE, "..")),
        tar_of(member("link", tarfile.SYMTYPE, "/etc"), member("link/out")),
        tar_of(member("fine"), member("link", tarfile.SYMTYPE, "fine")),
        tar_of(member("fine"), member("link", tarfile.LNKTYPE, "fine")),
        tar_of(member("pipe", tarfile.FIFOTYPE)),
        tar_of(member("device", tarfile.CHRTYPE)),
        zipped({"../out": b"1"}),
        zipped({"a/../../out": b"1"}),
        zipped({"/out": b"1"}),
        tar_of(member("both"), member("both/file")),
        tar_of(member("both/file"), member("both")),
        zipped({"both": b"1", "both/file": b"1"}),
        zipped({"both": b"1", "both/": b""}),
        link_in_zip("link", ".."),
        zipped({"a.png": b"1", "A.png": b"2"}),
        zipped({"d/a.png": b"1", "D/A.png": b"2"}),
        zipped({"caf\u00e9": b"1", "cafe\u0301": b"2"}),
        zipped({"both": b"1", "BOTH/file": b"1"}),
        zipped({"n" * 300: b"1"}),
        tar_of(member("a.png"), member("A.png")),
        tar_of(member("n" * 300)),
        tar_gz({}),
        zipped({}),
        tar_of(member("folder", tarfile.DIRTYPE)),
        b"",
        b"P",
        b"PK",
        b"\x1f\x8b",
        b"<!doctype html>",
    ],
)
def test_what_leads_outside_or_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{len(content)} bytes for the model") as caught:
        unpacked(content, tmp_path)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "in"}


def test_an_absolute_name_stays_inside(tmp_path: Path) -> None:
    outside = tmp_path / "out"
    root = tmp_path / "root"
    root.mkdir()
    assert list(unpacked(tar_of(member(str(outside))), root)) == [f"in{outside}"]
    assert not outside.exists()


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped({"file": b"1"}))
    for start, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(start) + offset] |= 1
    with pytest.raises(DataError, match="encrypted"):
        unpacked(bytes(content), tmp_path)


def test_a_zip_with_a_damaged_entry_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped({"file": b"1" * 100}))
    of_no_kind = 0b110
    content[30 + len("file")] |= of_no_kind
    with pytest.raises(DataError, match="invalid block type"):
        unpacked(bytes(content), tmp_path)


@settings(deadline=None, max_examples=80)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_changed_bit_is_refused_or_changes_nothing(place: float, bit: int) -> None:
    content = bytearray(tar_gz(FILES))
    # The header's time is not checked, and would make this test another one every second.
    content[4:8] = bytes(4)
    content[int(place * len(content))] ^= 1 << bit
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = unpacked(bytes(content), Path(folder))
        except DataError:
            return
        assert found == {f"in/{name}": data for name, data in FILES.items()}


@settings(deadline=None, max_examples=40)
@given(share=st.floats(0, 1, exclude_max=True), packed=st.sampled_from([tar_gz, zipped]))
def test_a_cut_archive_is_refused(
    share: float, packed: Callable[[Mapping[str, bytes]], bytes]
) -> None:
    content = packed(FILES)
    with tempfile.TemporaryDirectory() as folder, pytest.raises(DataError):
        unpacked(content[: int(share * len(content))], Path(folder))


@pytest.mark.parametrize("packed", [tar_gz, zipped])
def test_what_was_unpacked_is_recognised_by_size_and_checksum(
    packed: Callable[[Mapping[str, bytes]], bytes], tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(packed({"./a//b": b"lungs", "empty": b""}))
    advanced: list[int] = []
    facts = unpack(archive, tmp_path / "in", "the model", advanced.append)
    assert {name: (one.size, one.crc32) for name, one in facts.items()} == {
        "a/b": (5, zlib.crc32(b"lungs")),
        "empty": (0, 0),
    }
    assert sum(advanced) == 5
    assert list_archive(archive, "the model") == (facts if packed is zipped else None)


@pytest.mark.parametrize("packed", [tar_gz, zipped])
def test_a_bomb_is_refused_before_much_is_written(
    packed: Callable[[Mapping[str, bytes]], bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED_SIZE", 10_000)
    zeros = {f"zeros{number}": bytes(200_000) for number in range(4)}
    content = packed(zeros)
    assert archives.MAX_EXPANSION * len(content) < 800_000
    with pytest.raises(DataError, match=rf"{len(content)} bytes that would become \d+"):
        unpacked(content, tmp_path)
    written = sum(path.stat().st_size for path in (tmp_path / "in").rglob("*"))
    assert written <= archives.MAX_EXPANSION * len(content)


def test_a_size_that_a_zip_lies_about_is_not_exceeded(tmp_path: Path) -> None:
    content = bytearray(zipped({"file": b"1" * 100_000}))
    for start, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(start) + offset
        content[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(DataError):
        unpacked(bytes(content), tmp_path)
    assert (tmp_path / "in" / "file").stat().st_size <= 10


@pytest.mark.parametrize("packed", [tar_gz, zipped])
def test_what_the_disk_has_no_room_for_is_not_begun(
    packed: Callable[[Mapping[str, bytes]], bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100))
    with pytest.raises(
        DiskSpaceError, match=r"the model, which needs [\d,]+ bytes where 100 are free"
    ):
        unpacked(packed(FILES), tmp_path)
    assert [path for path in (tmp_path / "in").rglob("*") if path.is_file()] == []


def test_an_empty_folder_in_a_zip_is_made(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.mkdir("masks")
        archive.writestr("file", b"1")
    unpacked(stream.getvalue(), tmp_path)
    assert (tmp_path / "in" / "masks").is_dir()
