"""Decodes images into the shards of a compressed cache, and links them into another one.

A shard is written beside its place and renamed when it is complete, after what the maps say of its
rows: so an interrupted decode goes on behind the last shard that is there.
"""

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.progress import Reporter
from kagglecxr.data.cache.compressed_images import CompressedImages, compress_image, shard_path
from kagglecxr.data.cache.image_loader import ImageLoader, decode_rows
from kagglecxr.data.cache.maps import ENTRIES_FILE, Map, open_entries

SHARD = 4096
"""Images of a shard: what a kill loses of an hour's decoding is a minute or two."""


def remove_shards(folder: Path) -> None:
    """Removes what a compressed decode has written."""
    for path in folder.glob("images-*"):
        path.unlink()
    (folder / ENTRIES_FILE).unlink(missing_ok=True)


def decode_shards(
    loader: ImageLoader, folder: Path, shape: tuple[int, ...], reporter: Reporter
) -> tuple[tuple[Map, Map], dict[str, str]]:
    """Decodes the images of all shards that are not there yet.

    A shard with images that cannot be read is not kept.

    Returns:
        The maps of entries and measures, and why files cannot be read by their paths.
    """
    entries, measures = maps = open_entries(folder, shape[0])
    broken: dict[str, str] = {}
    with reporter.bar("Decoding images", shape[0]) as bar:
        for number, start in enumerate(range(0, shape[0], SHARD)):
            rows, path = range(start, min(start + SHARD, shape[0])), shard_path(folder, number)
            # New maps, made where old ones were torn, know of no shard.
            if path.is_file() and measures["done"][rows].all():
                bar.advance(len(rows))
                continue
            decoded = decode_rows(
                loader, rows, shape[1:], measures, lambda _, image: compress_image(image), bar
            )
            unfinished, reasons = path.with_suffix(".writing"), dict[str, str]()
            with contextlib.closing(decoded), unfinished.open("wb") as stream:
                for chunk in decoded:
                    reasons |= chunk.broken
                    for row, data in chunk.kept:
                        entries[row] = (number, stream.tell(), len(data))
                        stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            for filled in maps:
                filled.flush()
            if reasons:
                unfinished.unlink()
            else:
                unfinished.replace(path)
            broken |= reasons
    return maps, broken


def link_shards(
    source: CompressedImages, rows: npt.NDArray[np.intp], folder: Path
) -> npt.NDArray[np.void]:
    """Puts the shards of some rows into an empty folder, by links where the disk has such.

    Returns:
        (rows,) `ENTRIES` of these rows.
    """
    entries = source.entries[rows]
    for number in map(int, np.unique(entries["shard"])):
        path, target = shard_path(source.folder, number), shard_path(folder, number)
        try:
            os.link(path, target)
        except OSError:
            shutil.copyfile(path, target)
    return entries
