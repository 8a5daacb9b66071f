"""The cache of some rows holds those rows, whatever a kill left of an earlier try."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.data.cache.building import build_cache
from kagglecxr.data.cache.cache import Cache
from kagglecxr.data.cache.rows import cache_of_rows
from kagglecxr.data.pixels.preprocessing import Pipeline

ROWS = np.array([0, 2, 3, 6], np.intp)


@pytest.fixture
def whole(tmp_path: Path) -> Cache:
    """Seven images of noise."""
    random, paths = np.random.default_rng(0), [f"{k}.png" for k in range(7)]
    for path in paths:
        cv2.imwrite(str(tmp_path / path), random.integers(0, 256, (20, 24), np.uint8))
    pipeline = Pipeline.parse("gray | resize", 8)
    return build_cache(tmp_path / "cache", tmp_path, paths, pipeline, Silent())


def assert_holds_rows(some: Cache, whole: Cache) -> None:
    np.testing.assert_array_equal(some.images, whole.images[ROWS])
    for name in whole.measures.dtype.names or ():
        np.testing.assert_array_equal(some.measures[name], whole.measures[name][ROWS])


def test_the_rows_are_those_of_the_whole_cache_which_stays(whole: Cache) -> None:
    some = cache_of_rows(whole.folder.parent, whole, ROWS)
    assert_holds_rows(some, whole)
    assert {path.name for path in whole.folder.parent.iterdir()} == {some.key, whole.key}


def test_other_rows_are_another_cache_and_the_same_rows_the_same(whole: Cache) -> None:
    root = whole.folder.parent
    some = cache_of_rows(root, whole, ROWS)
    assert cache_of_rows(root, whole, ROWS).key == some.key
    assert cache_of_rows(root, whole, ROWS[1:]).key not in (some.key, whole.key)


def test_what_a_killed_copy_left_is_never_taken_for_a_cache(whole: Cache) -> None:
    root = whole.folder.parent
    key = cache_of_rows(root, whole, ROWS).key
    (root / key).rename(root / f"{key}.partial")
    (root / f"{key}.partial" / "cache.json").unlink()
    images = np.load(root / f"{key}.partial" / "images.npy", mmap_mode="r+")
    images[:] = 0
    images.flush()
    (root / key).mkdir()
    assert_holds_rows(cache_of_rows(root, whole, ROWS), whole)
    assert not (root / f"{key}.partial").exists()
