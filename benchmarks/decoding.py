"""How fast `prepare` decodes, against a bare two-thread OpenCV loop doing the same work.

Run: python -m benchmarks.decoding
"""

import itertools
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from benchmarks.files import write_files
from benchmarks.timing import in_turn
from kagglecxr.core.progress import Silent
from kagglecxr.data.cache.cache import build_cache
from kagglecxr.data.images.image import fingerprint
from kagglecxr.data.images.pipeline import Pipeline

SIZE, TURNS = 224, 7


def bare_loop(root: Path, paths: list[str], target: Path) -> None:
    """Reads, decodes, hashes and resizes every file into a memory map, by OpenCV alone."""
    images = np.lib.format.open_memmap(target, "w+", np.uint8, (len(paths), SIZE, SIZE))

    def decode(row: int) -> None:
        grey = np.asarray(cv2.imread(str(root / paths[row]), cv2.IMREAD_GRAYSCALE), np.uint8)
        fingerprint(grey)
        images[row] = cv2.resize(grey, (SIZE, SIZE), interpolation=cv2.INTER_AREA)

    cv2.setNumThreads(1)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(decode, range(len(paths))))
    images.flush()


def main() -> None:
    """Prints the ratio and both speeds."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "files"
        paths, _ = write_files(root)
        pipeline, numbers = Pipeline.parse("gray | resize", SIZE), itertools.count()

        def ours() -> None:
            build_cache(Path(folder) / f"cache-{next(numbers)}", root, paths, pipeline, Silent())

        def bare() -> None:
            bare_loop(root, paths, Path(folder) / f"bare-{next(numbers)}.npy")

        pair = in_turn(ours, bare, TURNS)
    print(
        f"decode: {len(paths) / pair.ours:.0f} images/s, bare OpenCV {len(paths) / pair.other:.0f}"
        f", ratio {pair.ratio:.2f} (wanted: 0.90)"
    )


if __name__ == "__main__":
    main()
