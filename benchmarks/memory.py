"""How memory grows with the number of images; mapped cache pages are not counted.

Run: python -m benchmarks.memory
"""

import subprocess
import sys
import tempfile
from pathlib import Path

COUNTS = (2_000, 21_165)
SIDE, BATCH = 299, 32


def own_megabytes() -> float:
    """The process's own memory: neither files it maps nor what it shares."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise OSError("This system does not tell a process's own memory apart.")


def epoch(root: Path, count: int) -> None:
    """Prepares `count` images from files and goes through one epoch; prints the peak."""
    import numpy as np

    from kagglecxr.core.progress import Silent
    from kagglecxr.data.cache.cache import build_cache
    from kagglecxr.data.images.pipeline import Pipeline
    from kagglecxr.data.sequences.sequence import BalancedSequence

    paths = [f"{number % 1000}.png" for number in range(count)]
    labels = np.arange(count) % 4
    cache = build_cache(
        root / f"cache-{count}", root, paths, Pipeline.parse("gray | resize", SIDE), Silent()
    )
    peak = own_megabytes()
    batches = BalancedSequence(cache.images, labels, BATCH)
    for number in range(len(batches)):
        batches[number]
        if number % 50 == 0:
            peak = max(peak, own_megabytes())
    print(max(peak, own_megabytes()))


def main() -> None:
    """Prints the peak of both counts, each in a process of its own, and the growth."""
    import cv2

    from kagglecxr.data.phantoms import draw_phantom

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number in range(1000):
            image = draw_phantom("Normal", number % 20, 0, 0, size=SIDE).image
            cv2.imwrite(str(root / f"{number}.png"), image)
        peaks = []
        for count in COUNTS:
            code = (
                "from pathlib import Path; from benchmarks.memory import epoch; "
                f"epoch(Path({folder!r}), {count})"
            )
            output = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            )
            peaks.append(float(output.stdout))
            print(f"{count} images of {SIDE} px: {peaks[-1]:.0f} MB")
    print(f"growth: {peaks[1] - peaks[0]:.0f} MB (wanted: less than 200)")


if __name__ == "__main__":
    main()
