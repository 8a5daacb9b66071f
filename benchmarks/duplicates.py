"""How long it takes to find the duplicates among as many images as the Radiography Database has.

The images are drawn chests, each moved, exposed and noised anew, so that their hashes crowd as
X-rays' do; every twentieth is a resaved copy of the one before.

Run: python -m benchmarks.duplicates
"""

import os
import resource
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.timing import seconds
from kagglecxr.data.images.image import Fingerprint, fingerprint
from kagglecxr.data.leakage.duplicates import BLOCK, find_duplicates, near_pairs
from kagglecxr.data.phantoms import draw_phantom

COUNT, SIDE, CHESTS, AT_ONCE, COPIES = 21_165, 299, 300, 1000, 20
CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")


def another_image(
    chests: list[npt.NDArray[np.uint8]], random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """One of the chests as another exposure would show it."""
    chest = chests[random.integers(len(chests))]
    turn, zoom = random.normal(0, 1.5), random.normal(1, 0.03)
    move = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), turn, zoom)
    move[:, 2] = move[:, 2] + random.normal(0, 6, 2)
    moved = cv2.warpAffine(chest, move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    table = 255 * (np.arange(256) / 255) ** random.uniform(0.7, 1.4)
    exposed = cv2.LUT(moved, table.astype(np.uint8)).astype(np.int16)
    coarse = random.integers(-40, 41, (6, 6)).astype(np.float32)
    exposed += cv2.resize(coarse, (SIDE, SIDE)).astype(np.int16)
    return np.asarray(np.clip(exposed, 0, 255), np.uint8)


def resaved(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The image from a JPEG of quality 70."""
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def main() -> None:
    """Prints the seconds of hashing and of comparing, what was found, and the memory."""
    cv2.setNumThreads(1)
    random = np.random.default_rng(0)
    chests = [draw_phantom(CLASSES[k % 4], k, 0, 0, size=SIDE).image for k in range(CHESTS)]
    looks: list[Fingerprint] = []
    hashing = 0.0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while len(looks) < COUNT:
            images: list[npt.NDArray[np.uint8]] = []
            for number in range(min(AT_ONCE, COUNT - len(looks))):
                copy = number % COPIES == 1
                images.append(resaved(images[-1]) if copy else another_image(chests, random))
            hashing += seconds(lambda images=images: looks.extend(pool.map(fingerprint, images)))
    hashes = np.array([look.phash for look in looks], np.uint64)
    thumbnails = np.stack([look.thumbnail for look in looks])
    ids = [f"image-{number:05}" for number in range(COUNT)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tables = []
    comparing = seconds(lambda: tables.append(find_duplicates(ids, hashes, thumbnails)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wanted = {
        (first, second)
        for number, (first, second) in enumerate(pairwise(ids))
        if (number % AT_ONCE) % COPIES == 0
    }
    found = set(zip(tables[0]["first"], tables[0]["second"], strict=True))
    near = sum(len(near_pairs(hashes, start)) for start in range(0, len(hashes), BLOCK))
    print(f"hashing {COUNT} decoded images of {SIDE} px: {hashing:.1f} s")
    print(
        f"all {COUNT * (COUNT - 1) // 2} pairs: {comparing:.1f} s, of which "
        f"{near} had near hashes and {len(found)} were duplicates"
    )
    print(f"both: {hashing + comparing:.1f} s (wanted: under 30 s on 2 cores)")
    print(f"resaved copies found: {len(wanted & found)} of {len(wanted)}")
    print(f"memory: {peak / 1024:.0f} MB at the peak, {before / 1024:.0f} MB before comparing")


if __name__ == "__main__":
    main()
