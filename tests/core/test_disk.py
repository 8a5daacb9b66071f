"""A disk with too little space is refused before anything is written."""

import shutil
from pathlib import Path

import pytest

from kagglecxr.core.disk import DiskSpaceError, ensure_disk_space


def test_the_room_of_a_folder_that_is_not_there_yet_is_its_disk_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: usage._replace(free=5000 * (path == tmp_path))
    )
    ensure_disk_space(tmp_path / "a" / "b", 5000, "the data")
    with pytest.raises(
        DiskSpaceError, match=r"the data, which needs 5,001 bytes where 5,000 are free: .*--work"
    ):
        ensure_disk_space(tmp_path / "a" / "b", 5001, "the data")


def test_more_than_the_whole_disk_is_refused(tmp_path: Path) -> None:
    ensure_disk_space(tmp_path, 1000, "a little")
    with pytest.raises(DiskSpaceError):
        ensure_disk_space(tmp_path, 2 * shutil.disk_usage(tmp_path).total, "too much")
    assert list(tmp_path.iterdir()) == []
