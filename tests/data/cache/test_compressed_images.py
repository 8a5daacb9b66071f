"""Compressed images are those that were compressed, bit for bit, by any choice of rows."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kagglecxr.core.errors import DataError
from kagglecxr.core.progress import Silent
from kagglecxr.data.cache import shards
from kagglecxr.data.cache.cache import build_cache, open_cache
from kagglecxr.data.cache.compressed_images import (
    CompressedImages,
    compress_image,
    decompress_image,
)
from kagglecxr.data.images.pipeline import Pipeline
from kagglecxr.data.phantoms import draw_phantom
from kagglecxr.data.sequences.sequence import BalancedSequence, OrderedSequence
from tests.data.cache.caches import PATHS, PIPELINE, damage, plainly_decoded, write_images

SIDES = st.integers(1, 9)
SHAPES = st.one_of(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES, st.just(3)))
COUNT = len(PATHS)
NUMBERS = st.integers(-COUNT, COUNT - 1)
ROWS = st.one_of(
    NUMBERS,
    st.slices(COUNT),
    st.lists(NUMBERS, max_size=40).map(lambda rows: np.array(rows, np.intp)),
    arrays.arrays(np.bool_, COUNT),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> npt.NDArray[np.uint8]:
    return plainly_decoded(write_images(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> CompressedImages:
    """The images in shards of three."""
    folder = tmp_path_factory.mktemp("compressed")
    root = write_images(folder / "data")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shards, "SHARD", 3)
        cache = build_cache(folder, root, PATHS, PIPELINE, Silent(), form="compressed")
    assert isinstance(cache.images, CompressedImages)
    return cache.images


@given(SHAPES.flatmap(lambda shape: arrays.arrays(np.uint8, shape)))
def test_any_image_is_the_same_after_compression(image: npt.NDArray[np.uint8]) -> None:
    again = decompress_image(compress_image(image), image.shape)
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again, image)


def test_sums_of_large_images_are_right_beyond_32_bits() -> None:
    image = np.cumsum(np.full((3000, 3000), 255, np.uint8), axis=0, dtype=np.uint8)
    image = np.cumsum(image, axis=1, dtype=np.uint8)
    np.testing.assert_array_equal(decompress_image(compress_image(image), image.shape), image)


@given(ROWS)
def test_any_rows_are_those_of_an_array(
    whole: npt.NDArray[np.uint8], compressed: CompressedImages, rows: Any
) -> None:
    taken = compressed[rows]
    assert taken.dtype == compressed.dtype == np.uint8
    np.testing.assert_array_equal(taken, whole[rows], strict=True)


def test_many_rows_are_read_by_several_threads(
    whole: npt.NDArray[np.uint8], compressed: CompressedImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    rows = np.random.default_rng(0).integers(0, COUNT, 101)
    np.testing.assert_array_equal(compressed[rows], whole[rows])


def test_it_is_an_array_to_numpy(
    whole: npt.NDArray[np.uint8], compressed: CompressedImages
) -> None:
    assert (len(compressed), compressed.shape) == (len(whole), whole.shape)
    np.testing.assert_array_equal(np.asarray(compressed), whole, strict=True)
    assert np.asarray(compressed, np.float32).dtype == np.float32


def test_what_is_no_row_is_refused(compressed: CompressedImages) -> None:
    for rows in (COUNT, -COUNT - 1, [0, COUNT], (0, 1), ..., None, 0.5):
        with pytest.raises(IndexError):
            compressed[rows]
    with pytest.raises(IndexError, match="by rows only"):
        compressed[:, 2:4]


def test_batches_are_those_of_the_plain_images(
    whole: npt.NDArray[np.uint8], compressed: CompressedImages
) -> None:
    labels, rows = np.arange(COUNT) % 2, np.array([6, 0, 3])
    pairs = [
        [BalancedSequence(images, labels, 4) for images in (whole, compressed)],
        [OrderedSequence(images, rows, 2, targets=np.eye(3)) for images in (whole, compressed)],
    ]
    for plain, other in pairs:
        assert len(plain) == len(other)
        for number in range(len(plain)):
            for one, two in zip(plain[number], other[number], strict=True):
                np.testing.assert_array_equal(one, two)


def test_a_radiograph_takes_less_than_its_pixels_and_equal_channels_hardly_more() -> None:
    image = draw_phantom("Normal", 0, 0, seed=0, size=96).image
    alone, thrice = (len(compress_image(i)) for i in (image, np.stack([image] * 3, axis=-1)))
    assert alone < 0.8 * image.size
    assert thrice < alone + 1000


def test_colour_is_kept(tmp_path: Path) -> None:
    root = write_images(tmp_path)
    plain, other = (
        build_cache(
            tmp_path / form, root, [PATHS[4]], Pipeline.parse("resize", 8), Silent(), form=form
        )
        for form in ("plain", "compressed")
    )
    assert other.images.shape == (1, 8, 8, 3)
    np.testing.assert_array_equal(other.images, plain.images)


class TestDamage:
    """A compressed cache that is damaged is refused in a sentence, when it is opened or read."""

    @pytest.fixture
    def folder(self, compressed: CompressedImages, tmp_path: Path) -> Path:
        """A copy of the cache."""
        for path in compressed.folder.iterdir():
            if path.is_file():
                (tmp_path / path.name).write_bytes(path.read_bytes())
        return tmp_path

    @pytest.mark.parametrize("name", ["images-0001.bin", "entries.npy", "measures.npy"])
    @pytest.mark.parametrize("size", [None, 0, 40, 135])
    def test_missing_empty_or_shortened_files(
        self, folder: Path, name: str, size: int | None
    ) -> None:
        open_cache(folder)
        damage(folder / name, size)
        with pytest.raises(DataError, match="missing or damaged"):
            open_cache(folder)

    def test_entries_of_another_number_of_images(self, folder: Path) -> None:
        np.save(folder / "entries.npy", np.load(folder / "entries.npy")[:-1])
        with pytest.raises(DataError, match="missing or damaged"):
            open_cache(folder)

    def test_changed_bytes_are_never_taken_for_an_image(self, folder: Path) -> None:
        images = open_cache(folder).images
        before, path = images[:], folder / "images-0001.bin"
        whole, refused = path.read_bytes(), 0
        for position in range(len(whole)):
            changed = bytearray(whole)
            changed[position] ^= 1 << position % 8
            path.write_bytes(changed)
            again = open_cache(folder).images
            np.testing.assert_array_equal(again[:3], before[:3])
            try:
                # A few bits between the end of the data and their checksum mean nothing.
                np.testing.assert_array_equal(again[3:], before[3:])
            except DataError:
                refused += 1
        assert refused >= len(whole) - 3
        path.write_bytes(whole[:5] + b"!" + whole[6:])
        with pytest.raises(DataError, match=r"row 3 in .*images-0001\.bin.*prepare again"):
            open_cache(folder).images[3]

    def test_another_shape(self, folder: Path) -> None:
        images = open_cache(folder).images
        assert isinstance(images, CompressedImages)
        with pytest.raises(DataError, match="row 0 in"):
            replace(images, shape=(COUNT, 9, 8))[0]
