"""Finds images that are copies or near-copies of each other.

A perceptual hash alone does not suffice: chest X-rays are so similar that images of different
patients have near hashes. The hash therefore only proposes pairs, and the correlation of two
normalised thumbnails decides.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

HASH_DISTANCE = 10
"""Maximum number of bits in which the hashes of two copies differ."""
CORRELATION = 0.99
"""Minimum correlation of the thumbnails of two copies."""
BLOCK = 256
"""Number of images that a thread compares with all later ones at a time."""
PAIRS_PER_PRODUCT = 4096
"""Number of pairs whose thumbnails are gathered at a time: 32 MB."""
THREADS = min(4, os.cpu_count() or 1)
"""More would only need memory: 21,165 images take 45 MB of differences per thread."""


def find_duplicates(
    ids: list[str], hashes: npt.NDArray[np.uint64], thumbnails: npt.NDArray[np.uint8]
) -> pd.DataFrame:
    """Finds the pairs of images that are copies or near-copies.

    Copies that were resaved, resized, recoloured or changed in brightness or contrast are found.
    Copies that were cropped by 2 % of their side, flipped or equalised mostly are not, since they
    are no more similar to the original than another radiograph of the same patient.

    There is one id, hash and thumbnail (32, 32) per image. All N^2 / 2 pairs are compared, in
    blocks that keep the memory under 1 GB.

    Returns:
        `first,second,distance,correlation`, one row per pair.
    """
    flat = thumbnails.reshape(len(ids), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    blank = np.logical_not(np.any(flat, axis=1))

    def copies_in_block(start: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        pairs = near_pairs(hashes, start)
        correlation = _correlations(flat, pairs)
        # Blank images have no pattern to compare: near hashes are enough for a copy.
        correlation[np.all(np.take(blank, pairs), axis=1)] = 1.0
        is_copy = correlation >= CORRELATION
        return pairs[is_copy], correlation[is_copy]

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(copies_in_block, range(0, len(ids), BLOCK)))
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


def near_pairs(hashes: npt.NDArray[np.uint64], start: int) -> npt.NDArray[np.intp]:
    """Returns (P, 2) rows of near hashes: one in the block from `start` on, and a later one."""
    block = hashes[start : start + BLOCK]
    distance = np.bitwise_count(block[:, None] ^ hashes[None, start:])
    first, second = np.nonzero(distance <= HASH_DISTANCE)
    later = second > first
    return np.stack([first[later], second[later]], axis=1) + start


def _correlations(
    flat: npt.NDArray[np.float32], pairs: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32]:
    products = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), PAIRS_PER_PRODUCT):
        some = pairs[start : start + PAIRS_PER_PRODUCT]
        products[start : start + PAIRS_PER_PRODUCT] = np.einsum(
            "pk,pk->p", flat[some[:, 0]], flat[some[:, 1]]
        )
    return products


def joined_groups(ids: list[str], groups: list[str], pairs: pd.DataFrame) -> list[str]:
    """Joins groups (patients) that share an image; an unknown group is empty.

    Returns:
        (N,) group names: the alphabetically first of all joined names, where the name of an image
        without a group is made of its id.
    """
    own = [group or f"image:{name}" for name, group in zip(ids, groups, strict=True)]
    names, number = np.unique(np.array(own, dtype=object).astype(str), return_inverse=True)
    group_of = dict(zip(ids, number, strict=True))
    first = [group_of[name] for name in pairs["first"]]
    second = [group_of[name] for name in pairs["second"]]
    links = coo_array((np.ones(len(first)), (first, second)), shape=(len(names), len(names)))
    _, component = connected_components(links, directed=False)
    # Names are sorted, so the first one of each component is its alphabetically first.
    _, representative = np.unique(component, return_index=True)
    return [str(names[representative[component[k]]]) for k in number]
