"""Shards that are complete are kept by a kill, and the bytes come out the same."""

import errno
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from kagglecxr.core.progress import Silent
from kagglecxr.data.cache import image_loader, shards
from kagglecxr.data.cache.cache import Cache, build_cache, copy_cache_rows
from kagglecxr.data.cache.image_loader import BrokenImagesError
from kagglecxr.data.images.pipeline import Pipeline
from tests.data.cache.caches import PATHS, PIPELINE, Counter, plainly_decoded

ROWS = np.array([0, 6, 2], np.intp)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of three images, which one thread decodes one after the other."""
    monkeypatch.setattr(shards, "SHARD", 3)
    monkeypatch.setattr(image_loader, "CHUNK", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)


def build(caches: Path, root: Path, pipeline: Pipeline = PIPELINE) -> Cache:
    return build_cache(caches, root, PATHS, pipeline, Silent(), form="compressed")


def files_of(cache: Cache) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.folder.iterdir()}


def shard_files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("images-*.bin")}


def assert_holds(cache: Cache, images: npt.NDArray[np.uint8]) -> None:
    assert cache.form == "compressed"
    np.testing.assert_array_equal(cache.images, images)


def test_the_images_and_measures_are_those_of_a_plain_cache(caches: Path, root: Path) -> None:
    plain = build_cache(caches / "plain", root, PATHS, PIPELINE, Silent(), form="plain")
    cache = build(caches, root)
    assert_holds(cache, np.asarray(plain.images))
    assert cache.key == plain.key
    assert cache.measures.tobytes() == plain.measures.tobytes()
    assert shard_files(cache.folder) == {f"images-000{k}.bin" for k in range(3)}


@pytest.mark.parametrize("after", range(2, 12))
def test_a_killed_decode_keeps_its_shards_and_goes_on_to_the_same_bytes(
    caches: Path, root: Path, after: int
) -> None:
    wanted = files_of(build(caches / "whole", root))
    # One image is decoded to learn the shape, and all seven for the estimate.
    after_images = max(0, after - 8)
    with pytest.raises(KeyboardInterrupt):
        build(caches / "killed", root, Counter(after).before(PIPELINE))
    (partial,) = (caches / "killed").iterdir()
    kept = shard_files(partial)
    assert len(kept) == after_images // 3
    counter = Counter()
    again = build(caches / "killed", root, counter.before(PIPELINE))
    estimated = 0 if (after_images or after == 8) else len(PATHS)
    assert counter.images == 1 + estimated + len(PATHS) - 3 * len(kept)
    assert files_of(again) == wanted
    assert_holds(again, plainly_decoded(root))


def test_a_shard_that_was_not_renamed_counts_for_nothing(caches: Path, root: Path) -> None:
    wanted = files_of(build(caches / "whole", root))
    with pytest.raises(KeyboardInterrupt):
        build(caches / "killed", root, Counter(8 + 4).before(PIPELINE))
    (partial,) = (caches / "killed").iterdir()
    (partial / "images-0001.writing").write_bytes(b"half a shard")
    assert files_of(build(caches / "killed", root)) == wanted


@pytest.mark.parametrize("name", ["entries.npy", "measures.npy"])
@pytest.mark.parametrize("left", [None, b"", b"\x93NUMPY\x01\x00half a header"])
def test_lost_or_torn_maps_begin_again(
    caches: Path, root: Path, name: str, left: bytes | None
) -> None:
    wanted = files_of(build(caches / "whole", root))
    with pytest.raises(KeyboardInterrupt):
        build(caches / "killed", root, Counter(8 + 5).before(PIPELINE))
    (partial,) = (caches / "killed").iterdir()
    if left is None:
        (partial / name).unlink()
    else:
        (partial / name).write_bytes(left)
    assert files_of(build(caches / "killed", root)) == wanted


def test_a_shard_of_a_broken_image_is_not_kept_and_all_broken_ones_are_named(
    caches: Path, root: Path
) -> None:
    for number in (0, 6):
        (root / PATHS[number]).write_bytes(b"text")
    with pytest.raises(BrokenImagesError) as caught:
        build(caches, root)
    assert caught.value.paths == sorted([PATHS[0], PATHS[6]])
    (partial,) = caches.iterdir()
    assert shard_files(partial) == {"images-0001.bin"}
    assert not list(partial.glob("*.writing"))


def test_a_full_disk_leaves_no_cache_and_the_next_try_goes_on(
    caches: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            build(caches, root)
    assert not list(caches.glob("*/cache.json"))
    assert not list(caches.glob("*/images-*.bin"))
    assert_holds(build(caches, root), plainly_decoded(root))


class TestCopies:
    """Some rows of a compressed cache are another one, which takes no room of its own."""

    @pytest.mark.parametrize("links", [True, False])
    def test_hold_those_rows_and_need_no_decoding(
        self, caches: Path, root: Path, monkeypatch: pytest.MonkeyPatch, links: bool
    ) -> None:
        def no_links(source: Path, target: Path) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        if not links:
            monkeypatch.setattr(os, "link", no_links)
        whole = build(caches, root)
        some = copy_cache_rows(caches, whole, ROWS)
        assert_holds(some, plainly_decoded(root)[ROWS])
        assert some.measures.tobytes() == whole.measures[ROWS].tobytes()
        assert shard_files(some.folder) == {"images-0000.bin", "images-0002.bin"}
        same = [p.samefile(whole.folder / p.name) for p in some.folder.glob("*.bin")]
        assert same == [links] * 2
        (whole.folder / "images-0000.bin").unlink()
        assert_holds(some, plainly_decoded(root)[ROWS])

    def test_of_a_copy_are_copies_too(self, caches: Path, root: Path) -> None:
        some = copy_cache_rows(caches, build(caches, root), ROWS)
        one = copy_cache_rows(caches, some, np.array([1], np.intp))
        assert_holds(one, plainly_decoded(root)[[6]])

    def test_have_the_key_of_a_plain_copy_and_are_made_again_in_another_form(
        self, caches: Path, root: Path
    ) -> None:
        for form in ("plain", "compressed", "plain"):
            whole = build_cache(caches, root, PATHS, PIPELINE, Silent(), form=form)
            some = copy_cache_rows(caches, whole, ROWS)
            assert whole.form == some.form == form
            np.testing.assert_array_equal(some.images, plainly_decoded(root)[ROWS])
            names = {path.name for path in some.folder.iterdir()}
            assert ("images.npy" in names) == (form == "plain")
        assert {path.name for path in caches.iterdir()} == {whole.key, some.key}

    def test_what_a_killed_copy_left_is_never_taken_for_one(self, caches: Path, root: Path) -> None:
        whole = build(caches, root)
        key = copy_cache_rows(caches, whole, ROWS).key
        (caches / key / "cache.json").unlink()
        (caches / key / "images-0000.bin").unlink()
        (caches / key / "images.npy").write_bytes(b"of a plain copy")
        (caches / key).rename(caches / f"{key}.partial")
        some = copy_cache_rows(caches, whole, ROWS)
        assert_holds(some, plainly_decoded(root)[ROWS])
        assert not (some.folder / "images.npy").exists()
