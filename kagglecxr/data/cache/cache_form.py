"""The form of a cache on disk, plain or compressed: chosen by the room there is, and told."""

import math
import shutil
from pathlib import Path
from typing import Literal

import numpy as np

from kagglecxr.core.files import ensure_disk_space
from kagglecxr.core.progress import Reporter
from kagglecxr.data.cache.compressed_images import compress_image
from kagglecxr.data.cache.image_loader import ImageLoader
from kagglecxr.data.cache.maps import ENTRIES, ENTRIES_FILE, IMAGES_FILE, MEASURES, MEASURES_FILE
from kagglecxr.data.cache.shards import remove_shards
from kagglecxr.data.images.image import BrokenImageError

CacheForm = Literal["plain", "compressed"]
WantedForm = Literal["auto", "plain", "compressed"]
"""A cache's form as it is asked for; auto is plain where there is room."""

LARGE = 10**9
"""Bytes from which on the size of a cache is told before it is made."""
COPIES = 2
"""How often a plain cache must fit: `prepare` copies it where it leaves out images that leak."""
SAMPLE = 64
"""Images by which the size of a compressed cache is estimated."""
MARGIN = 1.1
"""How much larger than its estimate a compressed cache may become: other images are noisier."""

_WHAT = "the {}cache of decoded images (a smaller --size needs less{})"


def choose_form(
    wanted: WantedForm,
    partial: Path,
    loader: ImageLoader,
    shape: tuple[int, ...],
    reporter: Reporter,
) -> CacheForm:
    """Chooses the form of a cache in the folder of its interrupted decode, and says what it takes.

    A decode that has begun goes on in its form, unless another is wanted: it then begins again.

    Raises:
        DiskSpaceError: there is not enough room, even for a compressed cache if that is allowed.
    """
    begun = _begun_form(partial)
    if begun is not None and wanted in ("auto", begun):
        return begun
    _remove_begun(partial)
    plain = math.prod(shape) + shape[0] * MEASURES.itemsize
    free = shutil.disk_usage(partial).free
    told = f"Decoded images take {plain / 1e9:.1f} GB at this size, of {free / 1e9:.0f} GB that"
    if wanted == "plain" or (wanted == "auto" and COPIES * plain <= free):
        advice = ", and --cache compressed half of it" if wanted == "plain" else ""
        ensure_disk_space(partial, plain, _WHAT.format("", advice))
        if plain >= LARGE:
            reporter.note(f"{told} are free: {partial.parent}.")
        return "plain"
    compressed = estimate_compressed(loader, shape)
    ensure_disk_space(partial, round(MARGIN * compressed), _WHAT.format("compressed ", ""))
    if wanted == "auto" or plain >= LARGE:
        advice = " (--cache plain does not)" if plain <= free else ""
        reporter.note(
            f"{told} are free: they are compressed without loss to about {compressed / 1e9:.1f} "
            f"GB, and take longer to read{advice}: {partial.parent}."
        )
    return "compressed"


def estimate_compressed(loader: ImageLoader, shape: tuple[int, ...]) -> int:
    """Estimates the bytes of a compressed cache from a sample of images; broken ones count none."""
    rows = np.unique(np.linspace(0, shape[0] - 1, min(shape[0], SAMPLE)).astype(np.intp))
    sizes = []
    for row in rows.tolist():
        try:
            sizes.append(len(compress_image(loader.preprocess(row, loader.load(row)))))
        except BrokenImageError:
            continue
    mean = float(np.mean(sizes)) if sizes else math.prod(shape[1:])
    return round(shape[0] * (mean + ENTRIES.itemsize + MEASURES.itemsize))


def _begun_form(partial: Path) -> CacheForm | None:
    if (partial / IMAGES_FILE).is_file():
        return "plain"
    return "compressed" if (partial / ENTRIES_FILE).is_file() else None


def _remove_begun(partial: Path) -> None:
    for name in (IMAGES_FILE, MEASURES_FILE):
        (partial / name).unlink(missing_ok=True)
    remove_shards(partial)
