"""Masked images as files that need neither the original images nor masks: for other machines."""

import shutil
import zlib
from pathlib import Path

import numpy as np
from filelock import FileLock

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import digest
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.cache.cache import Cache
from kagglecxr.data.images.image_array import ImageArray, blocks
from kagglecxr.data.index import read_folds, read_index, write_folds, write_index
from kagglecxr.data.masked import MaskedData
from kagglecxr.data.prepared import PreparedData

_INDEX, _FOLDS, _IMAGES, _MEASURES, _MASKS = (
    "index.csv", "folds.csv", "images.npy", "measures.npy", "masks.npy",
)  # fmt: skip


def write_masked(data: MaskedData, workspace: Workspace) -> Path:
    """Writes masked images below a workspace's cache, once for each content.

    Returns:
        The folder, whose name is that of the images' cache.
    """
    # The key stands for the images of the index, which are read for no digest.
    table = data.index.table.to_csv(index=False)
    checksum = 0
    for _, block in blocks(data.masks):
        checksum = zlib.crc32(np.ascontiguousarray(block).data, checksum)
    content = digest(data.cache.key, table, data.fold.tolist(), checksum)
    folder = workspace.cache / f"masked-{content}" / data.cache.key
    with FileLock(workspace.cache / "masked.lock"):
        if not folder.is_dir():
            partial = folder.with_name(f"{folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            write_index(partial / _INDEX, data.index)
            ids = data.index.column("id", data.index.rows("train"))
            write_folds(partial / _FOLDS, ids, data.fold)
            _write_images(partial / _IMAGES, data.cache.images)
            np.save(partial / _MEASURES, data.cache.measures)
            _write_images(partial / _MASKS, data.masks)
            partial.replace(folder)
    return folder


def _write_images(path: Path, images: ImageArray) -> None:
    written = np.lib.format.open_memmap(path, "w+", images.dtype, images.shape)
    for part, block in blocks(images):
        written[part] = block
    written.flush()


def read_masked(folder: Path, prepared: PreparedData) -> MaskedData:
    """Reads what `write_masked` wrote; the competition and its summary are those of `prepared`.

    Raises:
        DataError: a file is damaged.
        OSError: a file is missing.
    """
    index = read_index(folder / _INDEX)
    try:
        images, measures, masks = (
            np.load(folder / name, mmap_mode="r") for name in (_IMAGES, _MEASURES, _MASKS)
        )
    except (ValueError, EOFError) as error:
        raise DataError(
            f"Masked images cannot be read. Received: {folder} ({error}). Remove that folder, and "
            "run the command again."
        ) from error
    return MaskedData(
        prepared.competition,
        index,
        read_folds(folder / _FOLDS, index),
        Cache(folder, images, measures),
        prepared.root,
        prepared.summary,
        masks,
    )
