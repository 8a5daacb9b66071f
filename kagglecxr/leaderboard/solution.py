"""The rehearsal test set, for leaderboards only: its labels, and what a submission predicts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, MissingError, shorten
from kagglecxr.core.files import read_table
from kagglecxr.core.findings import truth_of_findings
from kagglecxr.core.metrics import Probabilities
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.prepared import prepare_again
from kagglecxr.data.schema import Classes
from kagglecxr.leaderboard.submission import validate_file


@dataclass(frozen=True)
class LabelledImages:
    """Images whose labels are known.

    Attributes:
        truth: (N,) target ids; of findings (N, targets), 1, 0 or, not known, NaN.
        groups: (N,) text; images of one group are of one patient or nearly identical.
    """

    ids: list[str]
    truth: npt.NDArray[Any]
    groups: npt.NDArray[np.object_]


def read_solution(workspace: Workspace, classes: Classes) -> LabelledImages:
    """Reads the labels of the rehearsal test set, which are targets of these classes.

    Raises:
        MissingError: the competition has no rehearsal test set.
        DataError: a label is no target.
    """
    if not workspace.solution.is_file():
        index = workspace.index
        if index.is_file() and (read_table(index)["split"] == "test").any():
            raise MissingError(
                "There is no rehearsal test set to score against. Received: a test set without "
                f"labels in {index}. Submit to Kaggle, without --local."
            )
        raise MissingError(
            f"There is no rehearsal test set to score against. Looked for: {workspace.solution}. "
            f"Run: {prepare_again(workspace, test='0.2')}"
        )
    table = read_table(workspace.solution)
    targets = list(classes.targets())
    unknown = sorted(set(classes.of_cells(table["label"])) - set(targets))
    if unknown:
        raise DataError(
            f"The rehearsal test set holds labels that are no target. Received: {shorten(unknown)} "
            f"in {workspace.solution}. Run: {prepare_again(workspace)}"
        )
    labels, groups = list(table["label"]), table["group"].to_numpy(dtype=object)
    if classes.multilabel:
        return LabelledImages(list(table["id"]), truth_of_findings(labels, targets), groups)
    truth = np.array([targets.index(label) for label in labels], np.intp)
    return LabelledImages(list(table["id"]), truth, groups)


def read_submission(
    file: Path, competition: Competition, workspace: Workspace, ids: list[str]
) -> Probabilities:
    """Returns the probabilities (N, targets) of images in a submission; classes have 1, others 0.

    Raises:
        SubmissionError: the file is not in the sample submission's form.
        MissingError: no such file, or no sample submission.
    """
    sample = workspace.require(workspace.sample_submission, "prepare")
    submission = validate_file(file, sample, competition)
    return competition.submission.for_targets(competition.targets()).parse(submission, ids)
