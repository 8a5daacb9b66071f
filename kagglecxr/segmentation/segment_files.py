"""Masks of any image files, which no competition needs to know."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kagglecxr.core.errors import DataError, MissingError, SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.inference.export.exported_model import ExportedModel
from kagglecxr.inference.export.file_formats import is_export, load_export
from kagglecxr.inference.image_files import ImageFiles
from kagglecxr.inference.raw_images import RawImages, report_unreadable
from kagglecxr.segmentation.mask_files import MaskFolder, names_of
from kagglecxr.segmentation.mask_standards import MaskStandards
from kagglecxr.segmentation.predicted_mask import PredictedMaps, PredictedMask, make_masks
from kagglecxr.segmentation.segmenter import Segmenter


def segment_files(
    model: Path, paths: Sequence[str], out: Path, scratch: Path, reporter: Reporter
) -> pd.DataFrame:
    """Writes the mask of each image, `<stem>.png` of the image's own size, and flags.csv.

    Args:
        model: a finished run that learned masks, or a file that was exported of one.
        paths: image files, relative to the current folder or absolute.
        out: the folder of the masks.
        scratch: a folder for the decoded images, which are not held in memory.
        reporter: shows the progress, and names images that cannot be read.

    Returns:
        The table of flags.csv.

    Raises:
        DataError: two images of one name, no image that can be read, or damaged files of the run.
        SettingError: the model classifies, or a mask would replace an image.
        MissingError: there is no such model.
    """
    folder = MaskFolder(out)
    paths = folder.without_own(paths)
    names = names_of(paths)
    folder.check(paths, names)
    if is_export(model):
        masks = _masks_of_export(load_export(model), model, paths, reporter)
    elif (model / "run.json").is_file():
        masks = _masks_of_run(model, paths, scratch, reporter)
    else:
        raise MissingError(
            f"There is no such net of lung masks. Received: --model {model}. Name the folder of a "
            "run of segment, or a file that export wrote of it."
        )
    return folder.write(masks, paths, names)


def _masks_of_run(
    run: Path, paths: Sequence[str], scratch: Path, reporter: Reporter
) -> Iterator[PredictedMask]:
    segmenter = Segmenter.of_run(run)
    files = ImageFiles(Path(), list(paths), scratch, reporter)
    images, sizes = files.images(segmenter.member), files.sizes(segmenter.member)
    report_unreadable(files.broken, len(paths), reporter, skip=True)
    folds = [None if path in files.broken else segmenter.first_fold for path in paths]
    with reporter.bar("Segmenting", len(paths) - len(files.broken)) as bar:
        yield from segmenter.segment(images, sizes, folds, bar.advance)


def _masks_of_export(
    model: ExportedModel, file: Path, paths: Sequence[str], reporter: Reporter
) -> Iterator[PredictedMask]:
    if not model.standards:
        raise SettingError(
            f"This file classifies and has no masks. Received: {file}. Export a run of segment."
        )
    try:
        standards = MaskStandards.from_json(model.standards)
    except ValueError as error:
        raise DataError(
            f"A file's standards of masks cannot be read. Received: {file} ({error}). Export the "
            "run again."
        ) from error
    row_of = {path: row for row, path in enumerate(paths)}
    images = RawImages(paths, model.size)
    for names, batch in images.batches(reporter, "Segmenting"):
        plain, novelty = model.predict_with_novelty(batch)
        flipped = np.flip(model.predict(np.flip(batch, axis=2)), axis=2)
        maps = PredictedMaps(plain[..., 0], flipped[..., 0], novelty)
        sizes = [(batch.shape[1], batch.shape[2])] * len(names)
        yield from make_masks([row_of[name] for name in names], maps, sizes, standards)
    report_unreadable(images.unreadable, len(paths), reporter, skip=True)
