"""How fast images are decoded and batched, against the bare libraries doing the same work.

Run: make bench, or python -m benchmarks.batches
"""

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from kagglecxr.core.progress import Silent
from kagglecxr.data.cache import build_cache
from kagglecxr.data.phantoms import make_demo
from kagglecxr.data.preprocessing import Pipeline
from kagglecxr.data.sequence import BalancedSequence

SIZE, REPEATS = 224, 5


def seconds(work: Callable[[], object]) -> float:
    """The wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def paired(ours: Callable[[], object], bare: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of both, run in turn."""
    pairs = [(seconds(ours), seconds(bare)) for _ in range(REPEATS)]
    first, second = np.median(np.array(pairs), axis=0)
    return float(first), float(second)


def bare_decode(root: Path, paths: list[str]) -> None:
    """Two-thread cv2: read, decode, resize."""

    def decode(path: str) -> np.ndarray:
        grey = cv2.imread(str(root / path), cv2.IMREAD_GRAYSCALE)
        return cv2.resize(grey, (SIZE, SIZE), interpolation=cv2.INTER_AREA)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(decode, paths))


def main() -> None:
    """Prints each ratio with its two times."""
    with tempfile.TemporaryDirectory() as folder:
        root = make_demo(Path(folder) / "demo", seed=0, reporter=Silent())
        paths = sorted(str(p.relative_to(root)) for p in root.glob("*/images/*.png"))
        pipeline = Pipeline.parse("gray | resize", SIZE)
        caches = iter(range(1000))

        def our_decode() -> None:
            build_cache(Path(folder) / f"cache-{next(caches)}", root, paths, pipeline, Silent())

        ours, bare = paired(our_decode, lambda: bare_decode(root, paths))
        print(
            f"decode: {len(paths) / ours:.0f} images/s, bare cv2 {len(paths) / bare:.0f}, "
            f"ratio {bare / ours:.2f} (hashes and thumbnails included in ours alone)"
        )
        cache = build_cache(Path(folder) / "cache", root, paths, pipeline, Silent())
        names = sorted({path.split("/")[0] for path in paths})
        labels = np.array([names.index(path.split("/")[0]) for path in paths])
        batches = BalancedSequence(cache.images, labels, 32)
        order = np.random.default_rng(0).integers(0, len(paths), (len(batches), 32))

        def our_epoch() -> None:
            for number in range(len(batches)):
                batches[number]

        ours, bare = paired(our_epoch, lambda: [cache.images[rows] for rows in order])
        shown = 32 * len(batches)
        print(
            f"batches: {shown / ours:.0f} images/s, bare gather {shown / bare:.0f}, "
            f"ratio {bare / ours:.2f}"
        )


if __name__ == "__main__":
    main()
