"""Predicts image files that no index knows, with runs or with an exported file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import DataError
from kagglecxr.core.finding_metrics import PRESENT
from kagglecxr.core.findings import join_findings, name_of_none
from kagglecxr.core.progress import Reporter
from kagglecxr.inference.export.exported_model import ExportedModel
from kagglecxr.inference.image_files import ImageFiles
from kagglecxr.inference.novelty import load_novelties
from kagglecxr.inference.predictor import Predictor
from kagglecxr.inference.raw_images import RawImages, report_unreadable

PATH, LABEL, UNUSUAL = "path", "label", "unusual"
MAX_PREVIEW = 10
"""Images in a preview of the table."""


@dataclass(frozen=True)
class FilePredictions:
    """Probabilities of image files.

    Attributes:
        paths: the files, without those that cannot be read.
        classes: the classes' names, in the order of the columns.
        probabilities: (paths, classes) float32.
        multilabel: whether an image may have several of the classes.
        unusual: (paths,), which images are unlike those of the training set; None where the model
            does not know.
    """

    paths: list[str]
    classes: list[str]
    probabilities: npt.NDArray[np.float32]
    unusual: npt.NDArray[np.bool_] | None = None
    multilabel: bool = False

    @property
    def labels(self) -> list[str]:
        """The most probable class of each file; of findings those from a probability of 0.5 on."""
        if self.multilabel:
            present = [set(compress(self.classes, row >= PRESENT)) for row in self.probabilities]
            none = name_of_none(self.classes)
            return [join_findings(some, (), self.classes, none) for some in present]
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
    report_unreadable(files.broken, len(paths), reporter, skip=skip_unreadable)
    rows = np.flatnonzero([path not in files.broken for path in paths])
    output = predictor.predict(files.images, rows, reporter=reporter)
    unusual = None if output.novelty is None else output.novelty > 1.0
    readable = [paths[row] for row in rows.tolist()]
    multilabel = predictor.members[0].record.multilabel
    return FilePredictions(readable, classes, output.probabilities, unusual, multilabel)


def predict_with_export(
    model: ExportedModel, paths: Sequence[str], reporter: Reporter, *, skip_unreadable: bool
) -> FilePredictions:
    """Predicts image files with an exported file, a few at a time; see `predict_with_runs`."""
    images = RawImages(paths, model.size)
    predicted: dict[str, npt.NDArray[np.float32]] = {}
    novelty: dict[str, np.float32] = {}
    for names, batch in images.batches(reporter, "Predicting"):
        # The error will name all such files; the others need no predictions for that.
        if skip_unreadable or not images.unreadable:
            probabilities, unusual = model.predict_with_novelty(batch)
            predicted.update(zip(names, probabilities, strict=True))
            if unusual is not None:
                novelty.update(zip(names, unusual, strict=True))
    report_unreadable(images.unreadable, len(paths), reporter, skip=skip_unreadable)
    readable = [path for path in paths if path in predicted]
    return FilePredictions(
        readable,
        model.classes,
        np.stack([predicted[path] for path in readable]),
        np.array([novelty[path] > 1.0 for path in readable]) if novelty else None,
        model.multilabel,
    )
