"""Predicts a test set that no index knows, as a kernel finds it, and writes the submission."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.errors import DataError, shorten
from kagglecxr.core.files import atomic_write, read_table
from kagglecxr.core.progress import Reporter
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.sample import SAMPLE, SampleSubmission
from kagglecxr.data.files.test_set import find_test_set, list_test_images
from kagglecxr.data.sample_form import with_sample_form
from kagglecxr.inference.image_files import ImageFiles
from kagglecxr.inference.members import members_for_files
from kagglecxr.inference.predictions import average
from kagglecxr.inference.predictor import Predictor

MAX_NAMED = 50
"""Images named in one line at most."""


@dataclass(frozen=True)
class PredictedSubmission:
    """A submission that was written.

    Attributes:
        rows: how many ids it has.
        imputed: the ids without an image that can be read, which have the mean of the others.
        folds, of: how many folds have predicted, and how many there are.
    """

    path: Path
    rows: int
    imputed: list[str]
    folds: int
    of: int


def predict_submission(
    competition: Competition,
    root: Path,
    runs: Sequence[Path],
    path: Path,
    scratch: Path,
    reporter: Reporter,
    *,
    deadline: Deadline | None = None,
    pipeline: str = "",
) -> PredictedSubmission:
    """Predicts the test set of a data folder and writes the submission.

    Its probabilities are those of a `Predictor`. An image that cannot be read is named and gets the
    mean of the others: a rerun on hidden images has to end with a submission.

    Args:
        competition: its layout and the format of its submission.
        root: the data folder; nothing of its training set is needed.
        runs: folders of finished runs.
        path: the CSV, written only if it is in the sample submission's format.
        scratch: a folder for decoded images.
        reporter: shows the progress, and names what cannot be read.
        deadline: until when the submission is needed; folds that do not fit are left out.
        pipeline: the preprocessing of runs whose records have none.

    Raises:
        MissingError: no runs, weights that are not there, or no sample submission.
        SettingError: a pipeline that is not known, or needs masks.
        DataError: runs for other targets, no image that can be read, or a sample submission that is
            not in the competition's format.
    """
    members = members_for_files(runs, competition, pipeline)
    targets = members[0].record.targets
    sample = SampleSubmission.read(root / (competition.layout.sample or SAMPLE))
    images = list_test_images(root, competition)
    competition = with_sample_form(competition.with_classes(targets), targets, sample, images)
    submission_format = competition.submission.for_targets(targets)
    ids = submission_format.image_ids(list(sample.table[submission_format.id]))
    test = find_test_set(ids, images, by_pattern=bool(competition.layout.test))
    if test.extra:
        reporter.note(f"The sample submission has no ids for {shorten(test.extra, MAX_NAMED)}.")
    paths = [test.path_of[name] for name in ids if name in test.path_of]
    files = ImageFiles(root, paths, scratch, reporter)
    output = Predictor(members).predict(files.images, reporter=reporter, deadline=deadline)
    if output.folds < output.of:
        reporter.note(f"Out of time: {output.folds} of {output.of} folds have predicted.")
    predicted = {
        path: row
        for path, row in zip(paths, output.probabilities, strict=True)
        if path not in files.broken
    }
    if not predicted:
        raise DataError(
            f"No test image can be read. Received: {len(paths)} of them in {root}, "
            f"{shorten(paths)}. Attach the competition's data again."
        )
    imputed = [name for name in ids if test.path_of.get(name) not in predicted]
    if imputed:
        reporter.note(
            f"{len(imputed)} ids have no image that can be read and get the mean of the others: "
            f"{shorten(imputed, MAX_NAMED)}."
        )
    mean = average(list(predicted.values()))
    probabilities = np.stack([predicted.get(test.path_of.get(name, ""), mean) for name in ids])
    submission = submission_format.build_like(sample.table, ids, probabilities)
    with atomic_write(path) as temporary:
        submission.to_csv(temporary, index=False)
        submission_format.validate(read_table(temporary), sample.table)
    return PredictedSubmission(path, len(probabilities), imputed, output.folds, output.of)
