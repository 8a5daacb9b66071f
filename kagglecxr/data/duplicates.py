"""Finds images that are copies, or nearly copies, of one another.

A perceptual hash alone is no proof here: chest X-rays resemble each other so much that a few of
64 bits are easily shared by strangers. So the hash only proposes pairs, and a small normalised
thumbnail of each image decides.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kagglecxr.data.images import Image

HASH_DISTANCE = 10
"""Pairs whose hashes differ in more bits than this are not looked at."""
CORRELATION = 0.99
"""Pairs whose thumbnails correlate less than this are different images."""
THUMBNAIL = 32


@dataclass(frozen=True)
class Look:
    """What of an image is compared: a 64-bit hash and a thumbnail (32, 32) uint8."""

    phash: int
    thumbnail: npt.NDArray[np.uint8]


def look_at(image: Image) -> Look:
    """The perceptual hash (DCT signs against their median, as pHash) and thumbnail of an image."""
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:8, :8].ravel()
    # The first coefficient is the mean brightness, which says nothing of the content.
    bits = low > np.median(low[1:])
    return Look(int.from_bytes(np.packbits(bits).tobytes(), "big"), small.astype(np.uint8))


def near_pairs(
    hashes: npt.NDArray[np.uint64], distance: int = HASH_DISTANCE, block: int = 512
) -> npt.NDArray[np.intp]:
    """All pairs (P, 2), first below second, whose hashes differ in at most `distance` bits."""
    found = []
    for start in range(0, len(hashes), block):
        rows = hashes[start : start + block]
        differing = np.bitwise_count(rows[:, None] ^ hashes[None, start:])
        first, second = np.nonzero(differing <= distance)
        later = second > first
        found.append(np.stack([first[later], second[later]], axis=1) + start)
    return np.concatenate(found) if found else np.empty((0, 2), np.intp)


def find_duplicates(
    ids: list[str], hashes: npt.NDArray[np.uint64], thumbnails: npt.NDArray[np.uint8]
) -> pd.DataFrame:
    """The pairs of images that show the same, copies or nearly so.

    Args:
        ids: the images' ids, (N,).
        hashes: their perceptual hashes, (N,).
        thumbnails: their thumbnails, (N, 32, 32).

    Returns:
        `first,second,distance,correlation`, one line a pair.
    """
    pairs = near_pairs(hashes)
    flat = thumbnails.reshape(len(ids), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    # Two blank images have no pattern to compare: they are equal when their hashes are.
    blank = np.logical_not(np.any(flat, axis=1))
    alike = np.einsum("pk,pk->p", flat[pairs[:, 0]], flat[pairs[:, 1]])
    alike[np.all(np.take(blank, pairs), axis=1)] = 1.0
    pairs, alike = pairs[alike >= CORRELATION], alike[alike >= CORRELATION]
    names = np.array(ids, dtype=object)
    return pd.DataFrame(
        {
            "first": names[pairs[:, 0]],
            "second": names[pairs[:, 1]],
            "distance": np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]),
            "correlation": alike.round(4),
        }
    )


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
