"""Predicts image files that no index knows, with runs or with an exported file."""

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.progress import Reporter
from kagglecxr.data.images.decode import read_image
from kagglecxr.data.images.image import BrokenImageError, Image
from kagglecxr.inference.export.exported_model import ExportedModel
from kagglecxr.inference.image_files import ImageFiles
from kagglecxr.inference.novelty import load_novelties
from kagglecxr.inference.predictor import Predictor

PATH, LABEL, UNUSUAL = "path", "label", "unusual"
MAX_NAMED, MAX_PREVIEW = 50, 10
"""Images named in one line, and in a preview of the table."""
CHUNK = 16
"""Raw images in memory at once."""
MAX_VALUES = 2**24
"""Values (pixels times channels) of a batch of raw images, unless one image has more."""


@dataclass(frozen=True)
class FilePredictions:
    """Probabilities of image files.

    Attributes:
        paths: the files, without those that cannot be read.
        classes: the classes' names, in the order of the columns.
        probabilities: (paths, classes) float32.
        unusual: (paths,), which images are unlike those of the training set; None where the model
            does not know.
    """

    paths: list[str]
    classes: list[str]
    probabilities: npt.NDArray[np.float32]
    unusual: npt.NDArray[np.bool_] | None = None

    @property
    def labels(self) -> list[str]:
        """The most probable class of each file."""
        return [self.classes[number] for number in self.probabilities.argmax(axis=1)]

    def table(self) -> pd.DataFrame:
        """Returns `path,<one column a class>,label,unusual`, the last one where it is known.

        A class of such a name is "path (class)".
        """
        own = (PATH, LABEL, UNUSUAL)
        columns = [f"{name} (class)" if name in own else name for name in self.classes]
        table = pd.DataFrame(self.probabilities, columns=columns)
        table.insert(0, PATH, self.paths)
        table[LABEL] = self.labels
        if self.unusual is not None:
            table[UNUSUAL] = self.unusual.astype(int)
        return table

    def describe(self, out: Path) -> str:
        """Returns how many were predicted into which file, and how many of them are unusual."""
        count = len(self.paths)
        images = f"{count:,} image{'s' if count != 1 else ''}"
        unusual = 0 if self.unusual is None else int(self.unusual.sum())
        if not unusual:
            return f"Predicted {images}: {out}."
        verb = "looks" if unusual == 1 else "look"
        return (
            f"Predicted {images}: {out}. {unusual:,} of {images} {verb} unlike the chest X-rays of "
            "the training set."
        )

    def preview(self) -> str:
        """Returns the table as lines of text if it has few of them, else nothing."""
        if len(self.paths) > MAX_PREVIEW:
            return ""
        return self.table().to_string(index=False, float_format="{:.4f}".format) + "\n"


def predict_with_runs(
    predictor: Predictor,
    paths: Sequence[str],
    scratch: Path,
    reporter: Reporter,
    *,
    skip_unreadable: bool,
) -> FilePredictions:
    """Predicts image files with runs, and tells which are unusual if one of the runs can.

    Args:
        predictor: its members are made by `member_for_files`.
        paths: relative to the current folder, or absolute.
        scratch: a folder for the decoded images, which are not held in memory.
        reporter: shows the progress, and names what is left out.
        skip_unreadable: leave out files that cannot be read instead of raising an error.

    Raises:
        DataError: runs for different classes, files that cannot be read, or damaged runs.
    """
    classes = predictor.members[0].record.targets
    for member in predictor.members:
        if member.record.targets != classes:
            raise DataError(
                f"The runs of an ensemble have different classes. Received: {classes} and, in "
                f"{member.run}, {member.record.targets}. Make that ensemble again."
            )
    predictor = replace(predictor, novelties=load_novelties(predictor.members))
    files = ImageFiles(Path(), list(paths), scratch, reporter)
    for member in predictor.members:
        # All that cannot be read is known before anything is predicted.
        files.images(member)
    _report_unreadable(files.broken, len(paths), reporter, skip_unreadable=skip_unreadable)
    rows = np.flatnonzero([path not in files.broken for path in paths])
    output = predictor.predict(files.images, rows, reporter=reporter)
    unusual = None if output.novelty is None else output.novelty > 1.0
    readable = [paths[row] for row in rows.tolist()]
    return FilePredictions(readable, classes, output.probabilities, unusual)


def predict_with_export(
    model: ExportedModel, paths: Sequence[str], reporter: Reporter, *, skip_unreadable: bool
) -> FilePredictions:
    """Predicts image files with an exported file, a few at a time; see `predict_with_runs`."""
    unreadable: dict[str, str] = {}
    predicted: dict[str, npt.NDArray[np.float32]] = {}

    def read(path: str) -> Image | BrokenImageError:
        try:
            image = read_image(Path(path))
        except BrokenImageError as error:
            return error
        except OSError as error:
            return BrokenImageError(path, str(error))
        if model.size not in (None, image.shape[:2]):
            return BrokenImageError(path, f"it is of {image.shape[:2]} and not {model.size} pixels")
        return image

    with reporter.bar("Predicting", len(paths)) as bar, ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            images: dict[str, Image] = {}
            for path, image in zip(chunk, pool.map(read, chunk), strict=True):
                if isinstance(image, BrokenImageError):
                    unreadable[path] = image.reason
                else:
                    images[path] = image
            # The error will name all such files; the others need no predictions for that.
            if skip_unreadable or not unreadable:
                for names, batch in _batches(images):
                    predicted.update(zip(names, model.predict(batch), strict=True))
            bar.advance(len(chunk))
    _report_unreadable(unreadable, len(paths), reporter, skip_unreadable=skip_unreadable)
    readable = [path for path in paths if path in predicted]
    probabilities = np.stack([predicted[path] for path in readable])
    return FilePredictions(readable, model.classes, probabilities)


def _batches(images: Mapping[str, Image]) -> Iterator[tuple[list[str], npt.NDArray[np.float32]]]:
    """Yields paths and raw pixels (batch, H, W, 1 or 3) of images of one shape each."""
    of_shape: dict[tuple[int, ...], list[str]] = {}
    for path, image in images.items():
        of_shape.setdefault(image.shape, []).append(path)
    for shape, paths in of_shape.items():
        most = max(1, MAX_VALUES // math.prod(shape))
        for start in range(0, len(paths), most):
            some = paths[start : start + most]
            pixels = np.stack([images[path] for path in some]).astype(np.float32)
            yield some, pixels.reshape(len(some), *shape[:2], -1)


def _report_unreadable(
    reasons: Mapping[str, str], files: int, reporter: Reporter, *, skip_unreadable: bool
) -> None:
    if not reasons:
        return
    named = shorten([f"{path} ({reasons[path]})" for path in sorted(reasons)], MAX_NAMED)
    count = "an image" if len(reasons) == 1 else f"{len(reasons):,} images"
    if len(reasons) == files:
        raise DataError(f"No image can be read. Received: {named}. Name other files.")
    if not skip_unreadable:
        raise DataError(
            f"{count.capitalize()} cannot be read. Received: {named}. Replace such files, or leave "
            "them out with --skip-unreadable."
        )
    reporter.note(f"Left out {count} that cannot be read: {named}.")
