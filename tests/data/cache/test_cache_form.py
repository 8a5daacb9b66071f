"""A cache is plain where there is room, else compressed, and the user is told."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kagglecxr.core.files import DiskSpaceError
from kagglecxr.core.progress import Silent
from kagglecxr.data.cache import cache_form
from kagglecxr.data.cache.cache import Cache, build_cache
from kagglecxr.data.cache.cache_form import COPIES, MARGIN, WantedForm, estimate_compressed
from kagglecxr.data.cache.image_loader import ImageLoader
from kagglecxr.data.cache.maps import MEASURES
from kagglecxr.data.images.pipeline import Pipeline
from tests.data.cache.caches import PATHS, PIPELINE, Counter
from tests.notes import Notes

LARGER = Pipeline.parse("gray | resize", 96)
"""Of images that were enlarged, which take less room compressed."""
PLAIN = len(PATHS) * (96 * 96 + MEASURES.itemsize)


def build(
    caches: Path,
    root: Path,
    reporter: Silent | None = None,
    *,
    form: WantedForm = "auto",
    pipeline: Pipeline = LARGER,
) -> Cache:
    return build_cache(caches, root, PATHS, pipeline, reporter or Silent(), form=form)


def leave(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves so many bytes of the disk free."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))


def estimate(root: Path) -> int:
    return estimate_compressed(ImageLoader(root, PATHS, None, LARGER), (len(PATHS), 96, 96))


def test_a_cache_is_plain_where_it_and_a_copy_fit(
    caches: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = Notes()
    leave(COPIES * PLAIN, monkeypatch)
    assert build(caches, root, notes).form == "plain"
    assert not notes.told


def test_with_less_room_it_is_compressed_and_told_in_one_line(
    caches: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = Notes()
    leave(COPIES * PLAIN - 1, monkeypatch)
    cache = build(caches, root, notes)
    assert cache.form == "compressed"
    plain = build(caches.with_name("plain"), root, form="plain")
    np.testing.assert_array_equal(cache.images, plain.images)
    (told,) = notes.told
    assert "compressed without loss to about 0.0 GB" in told
    assert "--cache plain does not" in told
    assert str(caches) in told
    build(caches, root, notes)
    assert len(notes.told) == 1


def test_plain_is_not_advised_where_it_does_not_fit(
    caches: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = Notes()
    leave(round(MARGIN * estimate(root)), monkeypatch)
    assert build(caches, root, notes).form == "compressed"
    assert "--cache plain" not in notes.told[0]


@pytest.mark.parametrize("form", ["auto", "compressed"])
def test_without_room_for_a_compressed_cache_nothing_is_decoded(
    caches: Path, root: Path, monkeypatch: pytest.MonkeyPatch, form: WantedForm
) -> None:
    leave(round(MARGIN * estimate(root)) - 1, monkeypatch)
    with pytest.raises(DiskSpaceError, match=r"the compressed cache .*a smaller --size needs less"):
        build(caches, root, form=form)
    assert not list(caches.glob("*/*"))


def test_without_room_for_a_plain_cache_that_is_wanted_the_other_is_advised(
    caches: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(PLAIN - 1, monkeypatch)
    with pytest.raises(DiskSpaceError, match="--cache compressed half of it"):
        build(caches, root, form="plain")
    leave(PLAIN, monkeypatch)
    assert build(caches, root, form="plain").form == "plain"


def test_a_large_cache_is_told_before_it_is_made(
    caches: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = Notes()
    monkeypatch.setattr(cache_form, "LARGE", 1)
    build(caches, root, notes)
    assert len(notes.told) == 1
    assert notes.told[0].startswith("Decoded images take 0.0 GB at this size, of ")
    build(caches, root, notes)
    assert len(notes.told) == 1


def test_the_estimate_is_the_size_where_all_images_are_in_the_sample(
    caches: Path, root: Path
) -> None:
    folder = build(caches, root, form="compressed").folder
    maps = sum(np.load(folder / name).nbytes for name in ("entries.npy", "measures.npy"))
    assert estimate(root) == maps + (folder / "images-0000.bin").stat().st_size


def test_the_estimate_is_of_a_sample_of_all_images_and_counts_no_broken_ones(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_form, "SAMPLE", 3)
    (root / PATHS[0]).write_bytes(b"")
    seen: list[int] = []
    load = ImageLoader.load
    monkeypatch.setattr(ImageLoader, "load", lambda self, row: seen.append(row) or load(self, row))
    few = estimate(root)
    assert seen == [0, 3, 6]
    assert few == pytest.approx(PLAIN / 2, rel=0.5)


def test_a_decode_that_was_interrupted_goes_on_in_its_form_whatever_the_room(
    caches: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before a compressed decode all seven images are seen once, for the estimate.
    for form, after in (("plain", 4), ("compressed", 9)):
        with pytest.raises(KeyboardInterrupt):
            build(caches / form, root, form=form, pipeline=Counter(after).before(PIPELINE))
    leave(1, monkeypatch)
    assert build(caches / "plain", root, pipeline=PIPELINE).form == "plain"
    leave(1 << 40, monkeypatch)
    assert build(caches / "compressed", root, pipeline=PIPELINE).form == "compressed"


@pytest.mark.parametrize("forms", [("plain", "compressed"), ("compressed", "plain")])
def test_another_form_that_is_wanted_begins_again_and_leaves_nothing_of_the_first(
    caches: Path, root: Path, forms: tuple[WantedForm, WantedForm]
) -> None:
    first, second = forms
    with pytest.raises(KeyboardInterrupt):
        build(caches, root, form=first, pipeline=Counter(4).before(PIPELINE))
    cache = build(caches, root, form=second, pipeline=PIPELINE)
    fresh = build(caches.with_name("fresh"), root, form=second, pipeline=PIPELINE)
    assert cache.form == second
    assert cache.key == fresh.key
    files = [{p.name: p.read_bytes() for p in c.folder.iterdir()} for c in (cache, fresh)]
    assert files[0] == files[1]
