"""A folder is known again wherever it lies, and no other is taken for it."""

from pathlib import Path

import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.data.files.content import check_content, content_digest

PATHS = ["ill/1.png", "well/2.png"]


def folder(root: Path, size: int = 3) -> Path:
    for path in PATHS:
        (root / path).parent.mkdir(parents=True)
        (root / path).write_bytes(b"x" * size)
    return root


def test_the_same_content_elsewhere_is_taken(tmp_path: Path) -> None:
    one, moved = folder(tmp_path / "one"), folder(tmp_path / "moved")
    check_content(content_digest(one, PATHS), PATHS, one, moved)


def test_other_content_is_refused_with_both_folders(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "one"), folder(tmp_path / "other", size=4)
    with pytest.raises(DataError, match=f"{other}, prepared from {one}.*--work work/"):
        check_content(content_digest(one, PATHS), PATHS, one, other)


def test_a_folder_that_lacks_an_image_is_another(tmp_path: Path) -> None:
    one, less = folder(tmp_path / "one"), folder(tmp_path / "less")
    (less / PATHS[0]).unlink()
    with pytest.raises(DataError):
        check_content(content_digest(one, PATHS), PATHS, one, less)


def test_the_folder_itself_may_have_changed(tmp_path: Path) -> None:
    check_content("", PATHS, tmp_path, tmp_path)
