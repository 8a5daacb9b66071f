"""The form of a submission: its columns, what a cell may hold, and how a file is checked."""

from collections.abc import Collection
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict

from kagglecxr.core.errors import SettingError, SubmissionError, shorten

Form = Literal["class", "class_id", "probability", "one_column_a_class"]


class SubmissionFormat(BaseModel):
    """The columns of a submission and what they hold.

    Attributes:
        id: name of the column of image ids.
        target: name of the answer's column, unused where each class has its own.
        form: a class name, a class number, the positive class's probability, or one a class.
        positive: the class whose probability is asked for; the last one unless told.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = "id"
    target: str = "label"
    form: Form = "class"
    positive: str | None = None

    def columns(self, targets: list[str]) -> list[str]:
        """All columns of the file, in order."""
        answer = targets if self.form == "one_column_a_class" else [self.target]
        return [self.id, *answer]

    def positive_column(self, targets: list[str]) -> int:
        """The number of the target whose probability is asked for.

        Raises:
            SettingError: the positive class is no target.
        """
        if not self.positive:
            return len(targets) - 1
        if self.positive not in targets:
            raise SettingError(
                f"The positive class is no target. Received: {self.positive!r}. Name one of "
                f"{', '.join(targets)} under [submission] positive."
            )
        return targets.index(self.positive)

    def fill(
        self, ids: list[str], probabilities: npt.NDArray[np.floating], targets: list[str]
    ) -> pd.DataFrame:
        """The submission for probabilities (N, targets)."""
        table = pd.DataFrame({self.id: ids})
        best = probabilities.argmax(axis=1)
        if self.form == "class":
            table[self.target] = [targets[k] for k in best]
        elif self.form == "class_id":
            table[self.target] = best
        elif self.form == "probability":
            table[self.target] = probabilities[:, self.positive_column(targets)]
        else:
            for k, target in enumerate(targets):
                table[target] = probabilities[:, k]
        return table

    def probabilities(
        self, submission: pd.DataFrame, targets: list[str]
    ) -> npt.NDArray[np.floating]:
        """The probabilities (N, targets) that a checked submission states; 0 or 1 for classes."""
        if self.form == "one_column_a_class":
            return submission[targets].to_numpy(np.float64)
        answers = submission[self.target]
        if self.form == "probability":
            positive = answers.to_numpy(np.float64)
            columns = np.repeat(1.0 - positive[:, None], len(targets), axis=1)
            columns[:, self.positive_column(targets)] = positive
            return columns
        if self.form == "class":
            numbers = np.array([targets.index(name) for name in answers], np.intp)
        else:
            numbers = answers.to_numpy(np.intp)
        return np.eye(len(targets))[numbers]

    def check(
        self, submission: pd.DataFrame, sample: pd.DataFrame, targets: list[str]
    ) -> pd.DataFrame:
        """The submission in the sample's order, with typed cells, if it is in perfect form.

        Both tables are as `read_table` gives them, every cell text.

        Raises:
            SubmissionError: wrong columns; a missing, extra or doubled id; an empty cell; an
                unknown class; a probability that is none.
        """
        checked = _in_sample_order(submission, sample, self.id)
        for column in list(sample.columns)[1:]:
            _check_filled(checked, column, self.id, targets if self.form == "class" else [])
            checked[column] = self._typed(checked, column, targets)
        return checked

    def _typed(
        self, checked: pd.DataFrame, column: str, targets: list[str]
    ) -> "pd.Series[str] | pd.Series[float] | pd.Series[int]":
        cells = checked[column]
        if self.form == "class":
            _refuse(~cells.isin(targets), cells, f"Use one of {', '.join(targets)}")
            return cells
        numbers = pd.to_numeric(cells, errors="coerce")
        if self.form == "class_id":
            _refuse(~numbers.isin(range(len(targets))), cells, f"Use 0 to {len(targets) - 1}")
            return numbers.astype(int)
        _refuse(~numbers.between(0.0, 1.0), cells, "Use probabilities between 0 and 1")
        return numbers.astype(float)


def validate_like_sample(submission: pd.DataFrame, sample: pd.DataFrame) -> None:
    """Refuses a submission that is not like the sample, where no more is known of the form.

    Both tables are as `read_table` gives them, every cell text; the first column holds the ids.

    Raises:
        SubmissionError: wrong columns; a missing, extra or doubled id; an empty cell; letters where
            the sample has numbers.
    """
    id_column, *answers = sample.columns
    checked = _in_sample_order(submission, sample, id_column)
    for column in answers:
        _check_filled(checked, column, id_column, [])
        cells = checked[column]
        if pd.to_numeric(sample[column], errors="coerce").notna().all():
            _refuse(
                pd.to_numeric(cells, errors="coerce").isna(),
                cells,
                "Use numbers, as the sample submission does",
            )


def _in_sample_order(
    submission: pd.DataFrame, sample: pd.DataFrame, id_column: str
) -> pd.DataFrame:
    """The submission with the sample's columns and ids, in the sample's order."""
    expected = list(sample.columns)
    if list(submission.columns) != expected:
        raise SubmissionError(
            f"The submission's columns are wrong. Received: {list(submission.columns)}. "
            f"Write exactly {expected}."
        )
    _check_ids(submission[id_column], sample[id_column])
    return submission.set_index(id_column).loc[sample[id_column]].reset_index()


def _check_ids(received: "pd.Series[str]", wanted: "pd.Series[str]") -> None:
    doubled = sorted(set(received[received.duplicated()]))
    missing = sorted(set(wanted) - set(received))
    extra = sorted(set(received) - set(wanted))
    for wrong, what, act in (
        (doubled, "ids more than once", "Keep one line for each id"),
        (missing, "too few ids", "Add a line for each id of the sample submission"),
        (extra, "ids that the sample submission has not", "Leave them out"),
    ):
        if wrong:
            raise SubmissionError(
                f"The submission has {what}. Received: {len(wrong)} such ids, "
                f"{shorten(wrong)}. {act}."
            )


def _check_filled(
    checked: pd.DataFrame, column: str, id_column: str, answers: Collection[str]
) -> None:
    """Refuses cells that say nothing, unless that is one of the answers."""
    empty = checked[column].str.strip().str.lower().isin(["", "nan", "none", "null"])
    empty &= ~checked[column].isin(answers)
    if empty.any():
        raise SubmissionError(
            f"The submission has {int(empty.sum())} empty or NaN cells. Received: column "
            f"{column!r} of ids {shorten(list(checked.loc[empty, id_column]))}. Fill them in."
        )


def _refuse(wrong: "pd.Series[bool]", cells: "pd.Series[str]", act: str) -> None:
    if wrong.any():
        raise SubmissionError(
            f"The submission has answers that cannot be scored. Received: "
            f"{int(wrong.sum())} of them, {shorten([repr(c) for c in cells[wrong]])}. {act}."
        )
