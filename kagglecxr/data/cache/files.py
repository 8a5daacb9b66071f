"""The files behind a cache, read by as many threads as there are processors."""

import itertools
import os
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")


def portions(items: Iterable[Item]) -> list[tuple[Item, ...]]:
    """Tasks for threads: handing over one image at a time costs too much."""
    listed, portion = list(items), 16
    return [tuple(listed[at : at + portion]) for at in range(0, len(listed), portion)]


def read_file(root: Path, path: str) -> bytes:
    """A file's bytes."""
    # Plain calls: over thousands of small files Path objects cost a tenth of the decoding.
    with open(os.path.join(root, path), "rb", buffering=0) as stream:  # noqa: PTH118, PTH123
        return stream.read()


def fingerprints(root: Path, paths: list[str]) -> list[int]:
    """The CRC-32 of each file's bytes: what the cache's key knows a file by."""

    def of(some: tuple[str, ...]) -> list[int]:
        return [zlib.crc32(read_file(root, path)) for path in some]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(itertools.chain.from_iterable(pool.map(of, portions(paths))))
