"""The files of a folder: images by suffix or first bytes, links, and names no table can hold."""

import os
from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.data.files.listing import list_files
from tests.data.files.test_layout import PIXEL, fill


def test_images_others_and_links_to_nothing(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png", "a/b/2.JPG", "3.webp")
    (tmp_path / "a" / "notes.txt").write_text("none")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    for hidden in (".DS_Store", "__MACOSX", "@eaDir"):
        (tmp_path / hidden).mkdir()
        PIXEL.save(tmp_path / hidden / "x.png")
    files = list_files(tmp_path)
    assert files.images == ["3.webp", "a/1.png", "a/b/2.JPG"]
    assert (files.others, files.dangling) == (["a/notes.txt"], ["gone.png"])


def test_without_a_suffix_the_first_bytes_decide(tmp_path: Path) -> None:
    PIXEL.save(tmp_path / "film", "PNG")
    (tmp_path / "1.2.840.7").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "1.2.840.8").write_bytes(b"\x02\x00\x00\x00UL\x04\x00")
    (tmp_path / "README").write_text("none")
    assert list_files(tmp_path).images == ["1.2.840.7", "1.2.840.8", "film"]
    assert list_files(tmp_path).others == ["README"]


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    store = fill(tmp_path / "store", "1.png")
    root = fill(tmp_path / "data", "ill/2.png")
    (root / "well").symlink_to(store)
    (root / "ill" / "again").symlink_to(root)
    assert list_files(root).images == ["ill/2.png", "well/1.png"]


def test_folders_that_link_to_each_other_are_walked_once_each(tmp_path: Path) -> None:
    root = fill(tmp_path, "ill/1.png", "well/2.png")
    (root / "ill" / "other").symlink_to(root / "well")
    (root / "well" / "other").symlink_to(root / "ill")
    assert list_files(root).images == [
        "ill/1.png", "ill/other/2.png", "well/2.png", "well/other/1.png",
    ]  # fmt: skip


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    PIXEL.save(tmp_path / os.fsdecode(b"\xe9.png"))
    with pytest.raises(DataError, match=r"\\xe9\.png"):
        list_files(tmp_path)
