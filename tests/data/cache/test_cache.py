"""The cache holds what a plain loop decodes, and nothing half-done is ever taken for one."""

import errno
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from kagglecxr.core.errors import DataError, MissingError
from kagglecxr.core.progress import Silent
from kagglecxr.data.cache.cache import (
    FORMAT,
    Cache,
    build_cache,
    cache_key,
    copy_cache_rows,
    open_cache,
)
from kagglecxr.data.cache.image_loader import BrokenImagesError, file_checksums
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.images.image import fingerprint
from kagglecxr.data.images.pipeline import Pipeline
from tests.data.cache.caches import PATHS, PIPELINE, Counter, damage, plainly_decoded


def build(caches: Path, root: Path, pipeline: Pipeline = PIPELINE) -> Cache:
    return build_cache(caches, root, PATHS, pipeline, Silent())


def interrupt(caches: Path, root: Path, after: int) -> Path:
    """Stops a build after some images; the partial folder it leaves."""
    with pytest.raises(KeyboardInterrupt):
        build(caches, root, Counter(after).before(PIPELINE))
    (partial,) = caches.iterdir()
    return partial


def test_the_images_are_those_of_a_plain_opencv_loop(caches: Path, root: Path) -> None:
    cache = build(caches, root)
    assert cache.images.dtype == np.uint8
    np.testing.assert_array_equal(cache.images, plainly_decoded(root))


def test_the_measures_are_of_the_files_and_not_of_the_cached_images(
    caches: Path, root: Path
) -> None:
    measures = build(caches, root).measures
    assert measures["height"].tolist() == [20 + k % 3 for k in range(7)]
    assert measures["width"].tolist() == [16] * 7
    assert measures["done"].all()
    for k, path in enumerate(PATHS):
        image = cv2.imread(str(root / path), cv2.IMREAD_UNCHANGED)
        look = fingerprint(image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        assert int(measures["phash"][k]) == look.phash
        np.testing.assert_array_equal(measures["thumbnail"][k], look.thumbnail)


def test_colour_stays_where_the_pipeline_keeps_it(caches: Path, root: Path) -> None:
    cache = build_cache(caches, root, [PATHS[4]], Pipeline.parse("resize", 8), Silent())
    assert cache.images.shape == (1, 8, 8, 3)
    image = cv2.cvtColor(cv2.imread(str(root / PATHS[4])), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(
        cache.images[0], cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA)
    )


def test_a_cache_is_a_read_only_memory_map_named_by_its_key(caches: Path, root: Path) -> None:
    cache = build(caches, root)
    assert isinstance(cache.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        cache.images[0] = 0
    assert cache.key == cache_key(PATHS, file_checksums(root, PATHS), PIPELINE)
    assert [path.name for path in caches.iterdir()] == [cache.key]
    sidecar = json.loads((cache.folder / "cache.json").read_text())
    assert sidecar["pipeline"] == "gray | resize(8)"
    assert sidecar["images"] == [7, 8, 8]


def test_a_whole_cache_is_opened_and_nothing_decoded_again(caches: Path, root: Path) -> None:
    first = build(caches, root)
    counter = Counter()
    again = build(caches, root, counter.before(PIPELINE))
    assert counter.images == 0
    assert again.folder == first.folder
    np.testing.assert_array_equal(again.images, first.images)


def test_the_key_changes_with_contents_paths_order_pipeline_and_size(
    caches: Path, root: Path
) -> None:
    contents = file_checksums(root, PATHS)
    key = cache_key(PATHS, contents, PIPELINE)
    assert key == cache_key(list(PATHS), list(contents), Pipeline.parse("gray|resize(8)", 99))
    others = {
        cache_key(PATHS, contents, Pipeline.parse("gray | resize", 9)),
        cache_key(PATHS, contents, Pipeline.parse("gray | resize | equalise", 8)),
        cache_key(PATHS[::-1], contents[::-1], PIPELINE),
        cache_key(PATHS[:-1], contents[:-1], PIPELINE),
        cache_key(PATHS, [contents[0] + 1, *contents[1:]], PIPELINE),
    }
    assert len(others) == 5
    assert key not in others


def test_a_file_with_new_content_is_decoded_into_another_cache(caches: Path, root: Path) -> None:
    old = build(caches, root)
    before = old.images.copy()
    path = root / PATHS[2]
    times = path.stat()
    cv2.imwrite(str(path), np.full((22, 16), 200, np.uint8))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    new = build(caches, root)
    assert new.key != old.key
    assert np.all(new.images[2] == 200)
    np.testing.assert_array_equal(open_cache(old.folder).images, before)


def test_an_interrupted_build_is_no_cache(caches: Path, root: Path) -> None:
    partial = interrupt(caches, root, after=4)
    assert partial.name.endswith(".partial")
    with pytest.raises(DataError, match="prepare again"):
        open_cache(partial)
    with pytest.raises(DataError):
        open_cache(caches / partial.name.removesuffix(".partial"))


@pytest.mark.parametrize("after", [1, 3, 6])
def test_an_interrupted_build_goes_on_with_what_is_missing(
    caches: Path, root: Path, after: int
) -> None:
    partial = interrupt(caches, root, after)
    missing = int((~np.load(partial / "measures.npy")["done"]).sum())
    assert 0 < missing <= len(PATHS)
    counter = Counter()
    cache = build(caches, root, counter.before(PIPELINE))
    # One more is decoded to learn the shape of an item.
    assert missing <= counter.images <= missing + 1
    np.testing.assert_array_equal(cache.images, plainly_decoded(root))
    assert [path.name for path in caches.iterdir()] == [cache.key]


def test_rows_that_are_done_are_not_decoded_again(caches: Path, root: Path) -> None:
    partial = interrupt(caches, root, after=5)
    images = np.load(partial / "images.npy", mmap_mode="r+")
    measures = np.load(partial / "measures.npy")
    done = int(np.flatnonzero(measures["done"])[0])
    images[done] = 123
    images.flush()
    assert np.all(build(caches, root).images[done] == 123)


@pytest.mark.parametrize("name", ["images.npy", "measures.npy"])
@pytest.mark.parametrize("left", [b"", b"\x93NUMPY\x01\x00half a header"], ids=["empty", "torn"])
def test_a_torn_map_of_an_interrupted_build_is_made_anew(
    caches: Path, root: Path, name: str, left: bytes
) -> None:
    partial = interrupt(caches, root, after=4)
    (partial / name).write_bytes(left)
    if name == "images.npy":
        # Rows that were done are gone with it.
        measures = np.load(partial / "measures.npy", mmap_mode="r+")
        assert measures["done"].any()
    np.testing.assert_array_equal(build(caches, root).images, plainly_decoded(root))


def test_a_folder_of_that_name_without_its_sidecar_is_not_taken_for_a_cache(
    caches: Path, root: Path
) -> None:
    cache = build(caches, root)
    folder = cache.folder
    del cache
    (folder / "cache.json").unlink()
    (folder / "images.npy").write_bytes(b"half")
    with pytest.raises(DataError, match="missing or damaged"):
        open_cache(folder)
    np.testing.assert_array_equal(build(caches, root).images, plainly_decoded(root))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"x"', "\x00"])
def test_a_corrupted_sidecar_is_refused_as_damage(caches: Path, root: Path, text: str) -> None:
    folder = build(caches, root).folder
    (folder / "cache.json").write_text(text)
    with pytest.raises(DataError, match=r"missing or damaged.*Remove that folder"):
        open_cache(folder)


@pytest.mark.parametrize("name", ["images.npy", "measures.npy"])
@pytest.mark.parametrize("size", [None, 0, 40, 150])
def test_missing_empty_or_shortened_maps_are_refused_as_damage(
    caches: Path, root: Path, name: str, size: int | None
) -> None:
    folder = build(caches, root).folder
    damage(folder / name, size)
    with pytest.raises(DataError, match="missing or damaged"):
        open_cache(folder)


def test_a_cache_of_another_version_is_refused_as_such(caches: Path, root: Path) -> None:
    folder = build(caches, root).folder
    sidecar = json.loads((folder / "cache.json").read_text())
    (folder / "cache.json").write_text(json.dumps({**sidecar, "format": FORMAT + 1}))
    with pytest.raises(DataError, match=f"another version.*format {FORMAT + 1}, not {FORMAT}"):
        open_cache(folder)


def test_images_of_different_sizes_without_resize_are_refused_by_name(
    caches: Path, root: Path
) -> None:
    with pytest.raises(DataError, match=r"different sizes.*chest \d\.png.*resize"):
        build(caches, root, Pipeline.parse("gray", 8))
    assert not list(caches.glob("*/cache.json"))


def test_broken_files_are_all_named_and_the_others_kept(caches: Path, root: Path) -> None:
    (root / PATHS[0]).write_bytes(b"")
    (root / PATHS[3]).write_bytes((root / PATHS[3]).read_bytes()[:50])
    with pytest.raises(BrokenImagesError) as caught:
        build(caches, root)
    assert caught.value.paths == sorted([PATHS[0], PATHS[3]])
    assert all(path in str(caught.value) for path in caught.value.paths)
    assert "2 images" in str(caught.value)
    (partial,) = caches.iterdir()
    done = np.load(partial / "measures.npy")["done"]
    assert np.flatnonzero(~done).tolist() == [0, 3]
    assert not (partial / "cache.json").exists()


def test_one_broken_file_is_reported_once(caches: Path, root: Path) -> None:
    (root / PATHS[5]).write_bytes(b"text")
    with pytest.raises(BrokenImagesError) as caught:
        build(caches, root)
    assert str(caught.value).count(PATHS[5]) == 1
    assert "\n" not in str(caught.value)


def test_only_broken_files_are_refused_and_make_no_cache(caches: Path, root: Path) -> None:
    for path in PATHS:
        (root / path).write_bytes(b"text")
    with pytest.raises(BrokenImagesError) as caught:
        build(caches, root)
    assert caught.value.paths == sorted(PATHS)
    assert not list(caches.glob("*/cache.json"))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot take room")
def test_a_full_disk_is_reported_and_leaves_no_cache(
    caches: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match="No space left") as caught:
            build(caches, root)
    assert caught.value.errno == errno.ENOSPC
    assert not list(caches.glob("*/cache.json"))
    assert not list(caches.glob("*/images.npy"))
    np.testing.assert_array_equal(build(caches, root).images, plainly_decoded(root))


def test_opencv_gets_its_threads_back(caches: Path, root: Path) -> None:
    before = cv2.getNumThreads()
    build(caches, root)
    (root / PATHS[1]).write_bytes(b"")
    with pytest.raises(BrokenImagesError):
        build(caches, root)
    assert cv2.getNumThreads() == before


def test_fingerprints_tell_contents_apart_and_names_not(root: Path) -> None:
    (root / "copy.png").write_bytes((root / PATHS[0]).read_bytes())
    one, other, copy = file_checksums(root, [PATHS[0], PATHS[1], "copy.png"])
    assert one == copy
    assert one != other


class TestMasks:
    """Pipelines that need lung masks."""

    PIPELINE = Pipeline.parse("gray | resize | mask", 8)

    @pytest.fixture
    def masks(self, root: Path) -> list[str]:
        """A mask of half each image's size for every image, its left half lung."""
        names = [f"mask-{row}.png" for row in range(len(PATHS))]
        for name, path in zip(names, PATHS, strict=True):
            height, width = read_image(root / path).shape[:2]
            mask = np.zeros((height // 2, width // 2), np.uint8)
            mask[:, : width // 4] = 255
            cv2.imwrite(str(root / name), mask)
        return names

    def test_are_read_at_their_images_size(
        self, caches: Path, root: Path, masks: list[str]
    ) -> None:
        cache = build_cache(caches, root, PATHS, self.PIPELINE, Silent(), masks=masks)
        plain = plainly_decoded(root)
        np.testing.assert_array_equal(cache.images[:, :, :4], plain[:, :, :4])
        assert not cache.images[:, :, 4:].any()

    def test_give_another_cache_when_they_change(
        self, caches: Path, root: Path, masks: list[str]
    ) -> None:
        first = build_cache(caches, root, PATHS, self.PIPELINE, Silent(), masks=masks)
        cv2.imwrite(str(root / masks[0]), np.full((4, 4), 255, np.uint8))
        second = build_cache(caches, root, PATHS, self.PIPELINE, Silent(), masks=masks)
        assert first.key != second.key
        assert second.images[0, :, 4:].any()

    def test_do_not_matter_where_no_step_needs_them(
        self, caches: Path, root: Path, masks: list[str]
    ) -> None:
        with_masks = build_cache(caches, root, PATHS, PIPELINE, Silent(), masks=masks)
        assert with_masks.key == build(caches, root).key

    def test_that_are_missing_are_reported_before_anything_is_decoded(
        self, caches: Path, root: Path, masks: list[str]
    ) -> None:
        with pytest.raises(DataError, match=rf"1 of {len(PATHS)} images without one"):
            build_cache(caches, root, PATHS, self.PIPELINE, Silent(), masks=["", *masks[1:]])
        with pytest.raises(DataError, match="needs lung masks"):
            build_cache(caches, root, PATHS, self.PIPELINE, Silent())

    def test_that_are_broken_are_named_with_the_image_that_cannot_be_made(
        self, caches: Path, root: Path, masks: list[str]
    ) -> None:
        (root / masks[2]).write_bytes(b"")
        with pytest.raises(BrokenImagesError, match=masks[2]) as caught:
            build_cache(caches, root, PATHS, self.PIPELINE, Silent(), masks=masks)
        assert caught.value.paths == [PATHS[2]]


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
    some = copy_cache_rows(whole.folder.parent, whole, ROWS)
    assert_holds_rows(some, whole)
    assert {path.name for path in whole.folder.parent.iterdir()} == {some.key, whole.key}


def test_other_rows_are_another_cache_and_the_same_rows_the_same(whole: Cache) -> None:
    root = whole.folder.parent
    some = copy_cache_rows(root, whole, ROWS)
    assert copy_cache_rows(root, whole, ROWS).key == some.key
    assert copy_cache_rows(root, whole, ROWS[1:]).key not in (some.key, whole.key)


def test_what_a_killed_copy_left_is_never_taken_for_a_cache(whole: Cache) -> None:
    root = whole.folder.parent
    key = copy_cache_rows(root, whole, ROWS).key
    (root / key).rename(root / f"{key}.partial")
    (root / f"{key}.partial" / "cache.json").unlink()
    images = np.load(root / f"{key}.partial" / "images.npy", mmap_mode="r+")
    images[:] = 0
    images.flush()
    (root / key).mkdir()
    assert_holds_rows(copy_cache_rows(root, whole, ROWS), whole)
    assert not (root / f"{key}.partial").exists()


def test_a_file_that_is_gone_is_named(root: Path) -> None:
    with pytest.raises(MissingError, match=r"not there.*no-such\.png\. Put it back"):
        file_checksums(root, ["no-such.png"])
