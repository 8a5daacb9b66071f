"""What lossless and lossy codes save of cached radiographs, and how fast they are, in one run.

Run: python -m benchmarks.compressing FOLDER-OF-X-RAYS [SIZE ...]
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.timing import seconds
from kagglecxr.data.cache.compressed_images import compress_image, decompress_image
from kagglecxr.data.files.listing import list_files
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.images.image import Image
from kagglecxr.data.images.pipeline import Pipeline

MOST, TURNS = 400, 5
SIZES = (96, 224, 320)


@dataclass(frozen=True)
class Code:
    """How an image is encoded, and decoded again."""

    name: str
    encode: Callable[[Image], Any]
    decode: Callable[[Any], Image]


def opencv(name: str, suffix: str, *parameters: int) -> Code:
    """A code of OpenCV's."""
    return Code(
        name,
        lambda image: cv2.imencode(suffix, image, parameters)[1],
        lambda data: np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8),
    )


def codes(size: int) -> list[Code]:
    """Ours first."""
    png = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY)
    return [
        Code("the cache's", compress_image, lambda data: decompress_image(data, (size, size))),
        opencv("PNG, RLE", ".png", *png, cv2.IMWRITE_PNG_STRATEGY_RLE),
        opencv("PNG, Huffman only", ".png", *png, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY),
        opencv("PNG, filtered", ".png", *png, cv2.IMWRITE_PNG_STRATEGY_FILTERED),
        opencv("WebP, lossless", ".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
        opencv("JPEG 95", ".jpg", cv2.IMWRITE_JPEG_QUALITY, 95),
    ]


def show(images: list[npt.NDArray[np.uint8]], size: int) -> None:
    """Prints a line for each code: best of several turns, all codes in each turn."""
    best: dict[str, list[float]] = {}
    rows = []
    for code in codes(size):
        encoded = [code.encode(image) for image in images]
        lost = np.array(
            [cv2.absdiff(code.decode(e), i) for e, i in zip(encoded, images, strict=True)]
        )
        rows.append((code, encoded, lost))
    for _ in range(TURNS):
        for code, encoded, _ in rows:
            fast = seconds(lambda: [code.encode(i) for i in images])  # noqa: B023 called at once
            read = seconds(lambda: [code.decode(e) for e in encoded])  # noqa: B023 called at once
            before = best.get(code.name, [fast, read])
            best[code.name] = [min(before[0], fast), min(before[1], read)]
    for code, encoded, lost in rows:
        share = np.mean([len(each) for each in encoded]) / size**2
        rates = [len(images) / each for each in best[code.name]]
        print(
            f"{size} px, {code.name:18}: {share:.1%} of the pixels, {rates[0]:6,.0f} encoded/s, "
            f"{rates[1]:6,.0f} decoded/s, off by {lost.mean():.2f} grey levels, most {lost.max()}"
        )


def main() -> None:
    """Prints sizes and speeds, on one thread."""
    cv2.setNumThreads(1)
    root = Path(sys.argv[1])
    paths = sorted(path for path in list_files(root).images if "mask" not in path.lower())
    chosen = paths[:: max(1, len(paths) // MOST)]
    for size in map(int, sys.argv[2:] or SIZES):
        pipeline = Pipeline.parse("gray | resize", size)
        show([pipeline(read_image(root / path)) for path in chosen], size)


if __name__ == "__main__":
    main()
