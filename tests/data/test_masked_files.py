"""Masked images are the same on a machine that has neither the images nor the masks."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kagglecxr.core.errors import DataError
from kagglecxr.data.masked import MaskedData, of_sources
from kagglecxr.data.masked_files import read_masked, write_masked
from tests.conftest import PreparedDemo
from tests.segmentation.conftest import MaskedFolder, make_folder


@pytest.fixture
def folder(demo: PreparedDemo, tmp_path: Path) -> MaskedFolder:
    return make_folder(demo, tmp_path)


def assert_same(read: MaskedData, written: MaskedData) -> None:
    assert read.index.table.astype(str).to_csv() == written.index.table.astype(str).to_csv()
    assert read.cache.key == written.cache.key
    for name in ("fold", "masks"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
    np.testing.assert_array_equal(read.cache.images, written.cache.images)


def test_they_are_read_as_they_were_written(folder: MaskedFolder) -> None:
    away = dataclasses.replace(folder.prepared, root=Path("nowhere"))
    one = of_sources(folder.data, "one")
    for data in (folder.data, one):
        assert_same(read_masked(write_masked(data, folder.workspace), away), data)


def test_one_content_is_written_once(folder: MaskedFolder) -> None:
    first = write_masked(folder.data, folder.workspace)
    before = (first / "images.npy").stat().st_mtime_ns
    assert write_masked(folder.data, folder.workspace) == first
    assert (first / "images.npy").stat().st_mtime_ns == before
    other = dataclasses.replace(folder.data, masks=255 - np.asarray(folder.data.masks))
    assert write_masked(other, folder.workspace) != first
    assert not list(folder.workspace.cache.rglob("*.partial"))


def test_damaged_files_are_refused(folder: MaskedFolder) -> None:
    path = write_masked(folder.data, folder.workspace)
    (path / "folds.csv").write_text("id,fold\na,0\n")
    with pytest.raises(DataError, match=r"folds\.csv"):
        read_masked(path, folder.prepared)


def test_images_that_are_cut_off_are_refused(folder: MaskedFolder) -> None:
    path = write_masked(folder.data, folder.workspace)
    (path / "masks.npy").write_bytes((path / "masks.npy").read_bytes()[:40])
    with pytest.raises(DataError, match=r"Masked images cannot be read"):
        read_masked(path, folder.prepared)
