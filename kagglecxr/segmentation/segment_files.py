"""Masks of any image files, which no competition needs to know."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.progress import Reporter
from kagglecxr.inference.image_files import ImageFiles
from kagglecxr.segmentation.mask_files import MaskFolder, names_of
from kagglecxr.segmentation.segmenter import Segmenter


def segment_files(
    run: Path, paths: Sequence[str], out: Path, scratch: Path, reporter: Reporter
) -> pd.DataFrame:
    """Writes the mask of each image, `<stem>.png` of the image's own size, and flags.csv.

    Args:
        run: a finished run that learned masks.
        paths: image files, relative to the current folder or absolute.
        out: the folder of the masks.
        scratch: a folder for the decoded images, which are not held in memory.
        reporter: shows the progress, and names images that cannot be read.

    Returns:
        The table of flags.csv.

    Raises:
        DataError: two images of one name, no image that can be read, or damaged files of the run.
        SettingError: the run classifies.
    """
    names = names_of(paths)
    segmenter = Segmenter.of_run(run)
    files = ImageFiles(Path(), list(paths), scratch, reporter)
    images, sizes = files.images(segmenter.member), files.sizes(segmenter.member)
    if files.broken:
        named = shorten([f"{path} ({why})" for path, why in sorted(files.broken.items())], 10)
        if len(files.broken) == len(paths):
            raise DataError(f"No image can be read. Received: {named}. Name another folder.")
        reporter.note(f"Left out, since they cannot be read: {named}.")
    every = list(segmenter.member.folds)
    folds = [[] if path in files.broken else every for path in paths]
    with reporter.bar("Segmenting", len(paths) - len(files.broken)) as bar:
        predicted = segmenter.segment(images, sizes, folds, bar.advance)
        return MaskFolder(out).write(predicted, paths, names, segmenter.standards.bounds)
