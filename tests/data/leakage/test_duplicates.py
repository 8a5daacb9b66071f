"""Copies are found however they were changed, strangers are not, and patients are joined."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kagglecxr.data.images.decode import read_image
from kagglecxr.data.images.image import Fingerprint, Image, fingerprint
from kagglecxr.data.leakage import duplicates
from kagglecxr.data.leakage.duplicates import (
    CORRELATION,
    HASH_DISTANCE,
    find_duplicates,
    joined_groups,
    near_pairs,
)

CXR4 = Path(__file__).parents[3].parent / "shared" / "data" / "cxr4"


def found(prints: list[Fingerprint]) -> pd.DataFrame:
    """The duplicates among fingerprints, whose ids are their numbers."""
    return find_duplicates(
        [str(i) for i in range(len(prints))],
        np.array([one.phash for one in prints], np.uint64),
        np.stack([one.thumbnail for one in prints]),
    )


def as_jpeg(image: Image) -> Image:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def smaller(image: Image) -> Image:
    return np.asarray(
        cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA), np.uint8
    )


def larger(image: Image) -> Image:
    return np.asarray(
        cv2.resize(image, None, fx=1.7, fy=1.7, interpolation=cv2.INTER_CUBIC), np.uint8
    )


def brighter(image: Image) -> Image:
    return np.clip(np.rint(image * 1.1), 0, 255).astype(np.uint8)


def lighter(image: Image) -> Image:
    return np.clip(image.astype(np.int32) + 20, 0, 255).astype(np.uint8)


def flatter(image: Image) -> Image:
    return np.rint((image - 128.0) * 0.85 + 128).astype(np.uint8)


def harder(image: Image) -> Image:
    return np.clip(np.rint((image - 128.0) * 1.15 + 128), 0, 255).astype(np.uint8)


def in_colour(image: Image) -> Image:
    return np.dstack([image] * 3)


CHANGES = [as_jpeg, smaller, larger, brighter, lighter, flatter, harder, in_colour]


@pytest.fixture(scope="module")
def demo_table(demo_images: Path) -> pd.DataFrame:
    return pd.read_csv(demo_images / "metadata.csv", dtype=str)


@given(
    st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**63, 2**64 - 1]), max_size=40),
    st.integers(0, 64),
    st.integers(1, 12),
)
@settings(deadline=None)
def test_near_pairs_are_those_of_a_brute_force_loop(
    hashes: list[int], distance: int, block: int
) -> None:
    expected = {
        (i, j)
        for j in range(len(hashes))
        for i in range(j)
        if (hashes[i] ^ hashes[j]).bit_count() <= distance
    }
    values, none = np.array(hashes, np.uint64), np.empty((0, 2), np.intp)
    with patch.multiple(duplicates, BLOCK=block, HASH_DISTANCE=distance):
        starts = range(0, len(hashes), block)
        pairs = np.concatenate([none, *(near_pairs(values, start) for start in starts)])
    assert pairs.shape == (len(expected), 2)
    assert {(int(i), int(j)) for i, j in pairs} == expected


def clustered_fingerprints(seed: int, count: int, clusters: int) -> list[Fingerprint]:
    """Fingerprints around a few, so that many pairs are on either side of both limits."""
    random = np.random.default_rng(seed)
    hashes = random.integers(0, 2**64, clusters, np.uint64)
    pictures = random.integers(0, 256, (clusters, 32, 32))
    prints = []
    for cluster in random.integers(0, clusters, count):
        flips = random.choice(64, random.integers(0, 9), replace=False)
        phash = int(hashes[cluster]) ^ sum(1 << int(bit) for bit in flips)
        noise = random.normal(0, random.uniform(0, 12), (32, 32))
        prints.append(
            Fingerprint(phash, np.clip(pictures[cluster] + noise, 0, 255).astype(np.uint8))
        )
    return prints


@pytest.mark.parametrize(("count", "clusters"), [(2, 1), (256, 3), (257, 3), (400, 12)])
def test_duplicates_of_many_blocks_are_those_of_the_definition(count: int, clusters: int) -> None:
    prints = clustered_fingerprints(count, count, clusters)
    correlation = np.corrcoef([one.thumbnail.ravel().astype(np.float64) for one in prints])
    expected = {
        (str(i), str(j)): correlation[i, j]
        for j in range(count)
        for i in range(j)
        if (prints[i].phash ^ prints[j].phash).bit_count() <= HASH_DISTANCE
        and correlation[i, j] >= CORRELATION
    }
    pairs = found(prints)
    got = pairs.set_index(["first", "second"])["correlation"].to_dict()
    assert got == pytest.approx(expected, abs=1e-4)
    assert count == 2 or len(expected) > count


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_of_a_demo_image_is_found(
    change: Callable[[Image], Image], demo_images: Path, demo_table: pd.DataFrame
) -> None:
    for path in demo_table["path"][::12]:
        image = read_image(demo_images / path)
        pairs = found([fingerprint(image), fingerprint(change(image))])
        assert list(pairs[["first", "second"]].itertuples(index=False, name=None)) == [("0", "1")]


def test_images_of_the_demo_are_not_taken_for_each_other(
    demo_images: Path, demo_table: pd.DataFrame
) -> None:
    prints = [fingerprint(read_image(demo_images / path)) for path in demo_table["path"]]
    pairs = found(prints).astype({"first": int, "second": int})
    patient = demo_table["patient_id"].to_numpy()
    strangers = pairs[patient[pairs["first"]] != patient[pairs["second"]]]
    assert strangers.empty


@pytest.mark.skipif(not CXR4.is_dir(), reason="the real X-rays of shared/data/cxr4 are not here")
def test_real_patients_are_told_apart_and_real_copies_are_found() -> None:
    table = pd.read_csv(CXR4 / "metadata.csv", dtype=str)[::4].reset_index(drop=True)
    images = [read_image(CXR4 / path) for path in table["path"]]
    prints = [fingerprint(image) for image in images]
    pairs = found(prints).astype({"first": int, "second": int})
    group = table["group_id"].to_numpy()
    assert pairs[group[pairs["first"]] != group[pairs["second"]]].empty
    for change in CHANGES:
        for k in range(0, len(images), 20):
            assert len(found([prints[k], fingerprint(change(images[k]))])) == 1, table["path"][k]


def test_a_hash_alone_makes_no_duplicate() -> None:
    random = np.random.default_rng(0)
    thumbnails = random.integers(0, 256, (2, 32, 32), np.uint8)
    assert found([Fingerprint(77, thumbnails[0]), Fingerprint(77, thumbnails[1])]).empty


def test_a_pair_says_how_far_apart_its_images_are() -> None:
    thumbnail = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    pairs = found([Fingerprint(0b1011, thumbnail), Fingerprint(0, thumbnail)])
    assert list(pairs.columns) == ["first", "second", "distance", "correlation"]
    assert pairs["distance"].tolist() == [3]
    assert pairs["correlation"].tolist() == [1.0]


def test_two_blank_images_are_copies_and_a_blank_is_no_copy_of_a_picture() -> None:
    blank = fingerprint(np.zeros((40, 40), np.uint8))
    noise = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    pairs = found([blank, blank, Fingerprint(blank.phash, noise)])
    assert pairs[["first", "second"]].to_numpy().tolist() == [["0", "1"]]


def test_one_image_or_all_different_images_make_an_empty_table() -> None:
    one = fingerprint(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8))
    assert found([one]).empty


def partition(names: list[str]) -> set[frozenset[int]]:
    return {frozenset(i for i, other in enumerate(names) if other == name) for name in set(names)}


def brute_force_partition(groups: list[str], links: list[tuple[int, int]]) -> set[frozenset[int]]:
    parts = [{i} for i in range(len(groups))]
    known = [(i, j) for i in range(len(groups)) for j in range(i) if groups[i] == groups[j] != ""]
    for i, j in [*links, *known]:
        one = next(part for part in parts if i in part)
        other = next(part for part in parts if j in part)
        if one is not other:
            parts.remove(other)
            one |= other
    return {frozenset(part) for part in parts}


@given(st.data())
@settings(deadline=None)
def test_groups_are_joined_along_every_chain_of_duplicates(data: st.DataObject) -> None:
    groups = data.draw(st.lists(st.sampled_from(["", "", "p1", "p2", "p3"]), min_size=1))
    rows = st.integers(0, len(groups) - 1)
    links = data.draw(st.lists(st.tuples(rows, rows).filter(lambda ij: ij[0] != ij[1])))
    ids = [f"i{k}" for k in range(len(groups))]
    pairs = pd.DataFrame(
        [(ids[i], ids[j]) for i, j in links], columns=["first", "second"], dtype=object
    )
    assert partition(joined_groups(ids, groups, pairs)) == brute_force_partition(groups, links)


def test_a_joined_group_takes_the_alphabetically_first_name() -> None:
    pairs = pd.DataFrame({"first": ["b", "c"], "second": ["c", "d"]})
    groups = joined_groups(["a", "b", "c", "d", "e"], ["", "p9", "", "p2", "p9"], pairs)
    assert groups[1:] == [groups[1]] * 4
    assert groups[1] == min("p9", "image:c", "p2")
    assert groups[0] == "image:a"


def test_an_image_that_is_called_like_a_patient_does_not_join_him() -> None:
    empty: npt.NDArray[np.object_] = np.empty((0, 2), object)
    groups = joined_groups(
        ["p1", "x"], ["", "p1"], pd.DataFrame(empty, columns=["first", "second"])
    )
    assert groups[0] != groups[1]
