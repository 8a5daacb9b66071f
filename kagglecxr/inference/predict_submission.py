"""Answers a test part that no index knows, as a kernel finds it, with finished runs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, SubmissionError, shorten
from kagglecxr.core.files import atomic_write, read_table
from kagglecxr.core.progress import Reporter
from kagglecxr.data.competition import Competition
from kagglecxr.data.files.test_set import TestSet, find_test_set
from kagglecxr.inference.image_files import DecodedFiles, decode_files
from kagglecxr.inference.predictions import average
from kagglecxr.inference.unseen_runs import Member, find_members, predict_by_folds

NAMED = 50
"""Images named in one line at most."""


@dataclass(frozen=True)
class PredictedSubmission:
    """A submission that was written.

    Attributes:
        path: the CSV.
        answers: its lines.
        by_mean: the ids without an image that can be read: they got the mean of the others.
        folds: how many folds have predicted.
        of: how many there are.
    """

    path: Path
    answers: int
    by_mean: list[str]
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
    seconds_left: Callable[[], float] = lambda: math.inf,
    pipeline: str = "",
) -> PredictedSubmission:
    """Writes the submission for the test part as it lies in a data folder now.

    Its probabilities are the mean of the runs, each the mean of its folds, each of its views. An
    image that cannot be read is named and gets the mean of the others: a scored rerun on hidden
    images must not end without an answer.

    Args:
        competition: its layout and the form of its submission.
        root: the data folder; nothing of its training part is needed.
        runs: folders of finished runs.
        path: the CSV; it is written whole, and only if it is in the sample's form.
        scratch: a folder for decoded images.
        reporter: told of what is done, and of what cannot be read.
        seconds_left: until the answers must be there; folds that do not fit are left out.
        pipeline: what is done to the images of runs whose records do not tell it.

    Raises:
        MissingError: no runs, weights that are not there, or no sample submission.
        SettingError: a pipeline that is not known, or needs masks.
        DataError: runs for other targets, or no image that can be read.
        SubmissionError: the sample submission is not in the form that the competition tells.
    """
    members, targets = find_members(runs, competition, pipeline)
    part = find_test_set(root, competition)
    _check_form(part, competition, targets)
    if part.extra:
        reporter.note(f"The sample submission does not ask for {shorten(part.extra, NAMED)}.")
    paths = [part.path_of[name] for name in part.ids if name in part.path_of]
    decoded: dict[str, DecodedFiles] = {}

    def images(member: Member) -> npt.NDArray[np.uint8]:
        known, shape = member.pipeline.text, member.record.input_shape
        if known not in decoded:
            decoded[known] = decode_files(root, paths, member.pipeline, shape, scratch, reporter)
        return decoded[known].images

    predicted: list[list[npt.NDArray[np.float32]]] = [[] for _ in members]
    total = sum(member.record.folds for member in members)
    with reporter.bar("Predicting", total) as bar:
        for number, answers in predict_by_folds(members, images, seconds_left):
            predicted[number].append(answers)
            bar.advance()
    done = sum(map(len, predicted))
    if done < total:
        reporter.note(f"Out of time: {done} of {total} folds have predicted.")
    mean = average([average(folds) for folds in predicted if folds])
    broken = {name for images in decoded.values() for name in images.broken}
    answer_of = {p: answer for p, answer in zip(paths, mean, strict=True) if p not in broken}
    if not answer_of:
        raise DataError(
            f"No test image can be read. Received: {len(paths)} of them in {root}, "
            f"{shorten(paths)}. Attach the competition's data again."
        )
    by_mean = [name for name in part.ids if part.path_of.get(name) not in answer_of]
    if by_mean:
        reporter.note(
            f"{len(by_mean)} ids have no image that can be read and get the mean of the others: "
            f"{shorten(by_mean, NAMED)}."
        )
    others = average(list(answer_of.values()))
    whole = np.stack([answer_of.get(part.path_of.get(name, ""), others) for name in part.ids])
    _write(whole, part, competition, targets, path)
    return PredictedSubmission(path, len(whole), by_mean, done, total)


def _check_form(part: TestSet, competition: Competition, targets: list[str]) -> None:
    columns = competition.submission.for_targets(targets).columns()
    if sorted(columns) != sorted(part.sample.columns):
        raise SubmissionError(
            f"The sample submission has other columns than [submission] tells. Received: "
            f"{list(part.sample.columns)}, told are {columns}. Mend id, target or form there."
        )


def _write(
    answers: npt.NDArray[np.float32],
    part: TestSet,
    competition: Competition,
    targets: list[str],
    path: Path,
) -> None:
    submission_format = competition.submission.for_targets(targets)
    table = submission_format.build(part.ids, answers)
    with atomic_write(path) as beside:
        table[list(part.sample.columns)].to_csv(beside, index=False)
        submission_format.validate(read_table(beside), part.sample)
