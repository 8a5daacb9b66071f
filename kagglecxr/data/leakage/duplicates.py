"""Finds images that are copies, or nearly copies, of one another.

A perceptual hash alone is no proof here: chest X-rays resemble each other so much that a few of
64 bits are easily shared by strangers. So the hash only proposes pairs, and a small normalised
thumbnail of each image decides.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

HASH_DISTANCE = 10
"""Pairs whose hashes differ in more bits than this are not looked at."""
CORRELATION = 0.99
"""Pairs whose thumbnails correlate less than this are different images."""
BLOCK = 256
"""Images compared with all later ones at a time, by one thread."""
GATHERED = 4096
"""Pairs whose thumbnails are gathered at a time: 32 MB."""
THREADS = min(4, os.cpu_count() or 1)
"""More would only need more memory: 21,165 images take 45 MB of differences a thread."""


def near_pairs(
    hashes: npt.NDArray[np.uint64], distance: int = HASH_DISTANCE, block: int = BLOCK
) -> npt.NDArray[np.intp]:
    """All pairs (P, 2), first below second, whose hashes differ in at most `distance` bits."""
    found = [
        _near_pairs_of_rows(hashes, start, distance, block)
        for start in range(0, len(hashes), block)
    ]
    return np.concatenate(found) if found else np.empty((0, 2), np.intp)


def find_duplicates(
    ids: list[str], hashes: npt.NDArray[np.uint64], thumbnails: npt.NDArray[np.uint8]
) -> pd.DataFrame:
    """The pairs of images that show the same, copies or nearly so.

    Found again are resaved, resized, brightened and recoloured copies, and those of a changed
    contrast. A copy cropped by 2 % of its side, mirrored or equalised mostly is not: by then it
    resembles its original no more than a second radiograph of the same patient does.

    All pairs are compared, N^2 / 2 of them, in blocks that keep the memory under 1 GB.

    Args:
        ids: the images' ids, (N,).
        hashes: their perceptual hashes, (N,).
        thumbnails: their thumbnails, (N, 32, 32).

    Returns:
        `first,second,distance,correlation`, one line a pair.
    """
    flat = thumbnails.reshape(len(ids), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    blank = np.logical_not(np.any(flat, axis=1))

    def alike(start: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        pairs = _near_pairs_of_rows(hashes, start, HASH_DISTANCE, BLOCK)
        correlation = _correlations(flat, pairs)
        # Two blank images have no pattern to compare: they are equal when their hashes are near.
        correlation[np.all(np.take(blank, pairs), axis=1)] = 1.0
        same = correlation >= CORRELATION
        return pairs[same], correlation[same]

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(alike, range(0, len(ids), BLOCK)))
    pairs = np.concatenate([np.empty((0, 2), np.intp), *(pair for pair, _ in found)])
    correlation = np.concatenate([np.empty(0, np.float32), *(values for _, values in found)])
    names = np.array(ids, dtype=object)
    return pd.DataFrame(
        {
            "first": names[pairs[:, 0]],
            "second": names[pairs[:, 1]],
            "distance": np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]),
            "correlation": correlation.astype(np.float64).round(4),
        }
    )


def _near_pairs_of_rows(
    hashes: npt.NDArray[np.uint64], start: int, distance: int, block: int
) -> npt.NDArray[np.intp]:
    """The near pairs whose first is one of `block` rows from `start` on."""
    rows = hashes[start : start + block]
    differing = np.bitwise_count(rows[:, None] ^ hashes[None, start:])
    first, second = np.nonzero(differing <= distance)
    later = second > first
    return np.stack([first[later], second[later]], axis=1) + start


def _correlations(
    flat: npt.NDArray[np.float32], pairs: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32]:
    """The products of the rows of each pair, gathered a few thousand at a time."""
    products = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), GATHERED):
        some = pairs[start : start + GATHERED]
        products[start : start + GATHERED] = np.einsum(
            "pk,pk->p", flat[some[:, 0]], flat[some[:, 1]]
        )
    return products


def joined_groups(ids: list[str], groups: list[str], pairs: pd.DataFrame) -> list[str]:
    """The group of each image when patients that share an image are taken together.

    Args:
        ids: the images' ids.
        groups: the known group (patient) of each, empty where unknown.
        pairs: `first` and `second` ids of duplicates.

    Returns:
        One group name an image: the alphabetically first of all names that were joined, an
        image's own id where it has no group.
    """
    own = [group or f"image:{name}" for name, group in zip(ids, groups, strict=True)]
    names, number = np.unique(np.array(own, dtype=object).astype(str), return_inverse=True)
    group_of = dict(zip(ids, number, strict=True))
    first = [group_of[name] for name in pairs["first"]]
    second = [group_of[name] for name in pairs["second"]]
    links = coo_array((np.ones(len(first)), (first, second)), shape=(len(names), len(names)))
    _, component = connected_components(links, directed=False)
    # Names are sorted, so the first of each component is its alphabetically first.
    _, representative = np.unique(component, return_index=True)
    return [str(names[representative[component[k]]]) for k in number]
