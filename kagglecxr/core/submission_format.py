"""The format of a submission: its columns, what its cells hold, how it is built and validated.

What the cells hold is a form. To add one, write its class here and register it in FORMS.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import AfterValidator, ConfigDict
from pydantic.dataclasses import dataclass as validated_dataclass

from kagglecxr.core.errors import SettingError, SubmissionError, shorten
from kagglecxr.core.registry import Registry

Probabilities = npt.NDArray[np.floating]
TextCells: TypeAlias = "pd.Series[str]"
TypedCells: TypeAlias = "pd.Series[str] | pd.Series[int] | pd.Series[float]"


@dataclass(frozen=True)
class Form(ABC):
    """What the cells of a submission hold.

    Attributes:
        target: name of the answer's column.
        positive: the class whose probability is submitted, where one is named.
        targets: names of the targets, in order.
    """

    target: str
    positive: str | None
    targets: list[str]
    holds_probabilities: ClassVar[bool] = True

    def columns(self) -> list[str]:
        """The answer's columns, in order."""
        return [self.target]

    @abstractmethod
    def build(self, probabilities: Probabilities) -> pd.DataFrame:
        """Returns the answer's columns for probabilities (N, targets)."""

    @abstractmethod
    def parse(self, submission: pd.DataFrame) -> Probabilities:
        """Returns the probabilities (N, targets) of a validated submission."""

    def validate(self, cells: TextCells) -> TypedCells:
        """Returns the cells of an answer's column, typed; they are probabilities by default."""
        numbers = pd.to_numeric(cells, errors="coerce")
        _refuse(~numbers.between(0.0, 1.0), cells, "Use probabilities between 0 and 1")
        return numbers.astype(float)


FORMS = Registry[type[Form]]("submission form")


@FORMS.add_as("class")
class _ClassForm(Form):
    """The name of the most probable class."""

    holds_probabilities = False

    def build(self, probabilities: Probabilities) -> pd.DataFrame:
        names = np.array(self.targets, object)[np.argmax(probabilities, axis=1)]
        return pd.DataFrame({self.target: names})

    def parse(self, submission: pd.DataFrame) -> Probabilities:
        return _one_hot(
            [self.targets.index(name) for name in submission[self.target]], self.targets
        )

    def validate(self, cells: TextCells) -> TypedCells:
        _refuse(~cells.isin(self.targets), cells, f"Use one of {', '.join(self.targets)}")
        return cells


@FORMS.add_as("class_id")
class _ClassIdForm(Form):
    """The number of the most probable class, from 0."""

    holds_probabilities = False

    def build(self, probabilities: Probabilities) -> pd.DataFrame:
        return pd.DataFrame({self.target: np.argmax(probabilities, axis=1)})

    def parse(self, submission: pd.DataFrame) -> Probabilities:
        return _one_hot(list(submission[self.target]), self.targets)

    def validate(self, cells: TextCells) -> TypedCells:
        ids = range(len(self.targets))
        numbers = pd.to_numeric(cells, errors="coerce")
        _refuse(~numbers.isin(ids), cells, f"Use 0 to {len(ids) - 1}")
        return numbers.astype(int)


@FORMS.add_as("probability")
class _ProbabilityForm(Form):
    """The probability of the positive class, which defaults to the last target."""

    def build(self, probabilities: Probabilities) -> pd.DataFrame:
        return pd.DataFrame({self.target: probabilities[:, self._positive_column()]})

    def parse(self, submission: pd.DataFrame) -> Probabilities:
        positive = submission[self.target].to_numpy(np.float64)
        columns = np.repeat(1.0 - positive[:, None], len(self.targets), axis=1)
        columns[:, self._positive_column()] = positive
        return columns

    def _positive_column(self) -> int:
        if self.positive and self.positive not in self.targets:
            raise SettingError(
                f"The positive class is no target. Received: {self.positive!r}. Name one of "
                f"{', '.join(self.targets)} under [submission] positive."
            )
        return self.targets.index(self.positive or self.targets[-1])


@FORMS.add_as("one_column_a_class")
class _ColumnPerClassForm(Form):
    """The probability of each target, in a column of its own."""

    def columns(self) -> list[str]:
        return self.targets

    def build(self, probabilities: Probabilities) -> pd.DataFrame:
        return pd.DataFrame(probabilities, columns=self.targets)

    def parse(self, submission: pd.DataFrame) -> Probabilities:
        return submission[self.targets].to_numpy(np.float64)


def _one_hot(ids: list[int], targets: list[str]) -> Probabilities:
    return np.eye(len(targets))[np.array(ids, np.intp)]


def _known_form(name: str) -> str:
    FORMS[name]
    return name


@validated_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SubmissionFormat:
    """The columns of a submission and what they hold: [submission] of a competition's TOML.

    Attributes:
        id: name of the column of image ids.
        target: name of the answer's column, unused where each class has its own.
        form: what the cells hold: a name in FORMS.
        positive: the class whose probability is submitted; defaults to the last one.
    """

    id: str = "id"
    target: str = "label"
    form: Annotated[str, AfterValidator(_known_form)] = "class"
    positive: str | None = None

    def columns(self, targets: list[str]) -> list[str]:
        """Returns all columns of the file, in order."""
        return [self.id, *self._form(targets).columns()]

    def build(
        self, ids: list[str], probabilities: Probabilities, targets: list[str]
    ) -> pd.DataFrame:
        """Returns the submission for probabilities (N, targets)."""
        table = self._form(targets).build(probabilities)
        table.insert(0, self.id, ids)
        return table

    def parse(self, submission: pd.DataFrame, targets: list[str]) -> Probabilities:
        """Returns the probabilities (N, targets) of a validated submission; 0 or 1 for classes."""
        return self._form(targets).parse(submission)

    def validate(
        self, submission: pd.DataFrame, sample: pd.DataFrame, targets: list[str]
    ) -> pd.DataFrame:
        """Returns the submission in the sample's order, with typed cells.

        Both tables are as `read_table` returns them, every cell text.

        Raises:
            SubmissionError: wrong columns; a missing, extra or doubled id; an empty cell; an
                unknown class; a number that is no probability.
        """
        form = self._form(targets)
        table = _in_sample_order(submission, sample, self.id, targets)
        for column in table.columns.drop(self.id):
            table[column] = form.validate(table[column])
        return table

    def _form(self, targets: list[str]) -> Form:
        return FORMS[self.form](self.target, self.positive, targets)


def validate_like_sample(submission: pd.DataFrame, sample: pd.DataFrame) -> None:
    """Validates a submission of unknown form by the sample, whose first column holds the ids.

    Raises:
        SubmissionError: as `SubmissionFormat.validate` does; text where the sample has numbers.
    """
    table = _in_sample_order(submission, sample, sample.columns[0], [])
    for column in table.columns[1:]:
        if pd.to_numeric(sample[column], errors="coerce").notna().all():
            is_text = pd.to_numeric(table[column], errors="coerce").isna()
            _refuse(is_text, table[column], "Use numbers, as the sample submission does")


def _in_sample_order(
    submission: pd.DataFrame, sample: pd.DataFrame, id_column: str, targets: Collection[str]
) -> pd.DataFrame:
    """Returns the submission's lines in the sample's order; refuses other ids and empty cells."""
    expected = list(sample.columns)
    if list(submission.columns) != expected:
        raise SubmissionError(
            f"The submission's columns are wrong. Received: {list(submission.columns)}. "
            f"Write exactly {expected}."
        )
    _check_ids(submission[id_column], sample[id_column])
    table = submission.set_index(id_column).loc[sample[id_column]].reset_index()
    for column in table.columns.drop(id_column):
        empty = table[column].str.strip().str.lower().isin(["", "nan", "none", "null"])
        empty &= ~table[column].isin(targets)  # a class may be called "none"
        if empty.any():
            raise SubmissionError(
                f"The submission has {int(empty.sum())} empty or NaN cells. Received: column "
                f"{column!r} of ids {shorten(list(table.loc[empty, id_column]))}. Fill them in."
            )
    return table


def _check_ids(received: TextCells, wanted: TextCells) -> None:
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


def _refuse(wrong: "pd.Series[bool]", cells: TextCells, act: str) -> None:
    if wrong.any():
        raise SubmissionError(
            f"The submission has answers that cannot be scored. Received: "
            f"{int(wrong.sum())} of them, {shorten([repr(c) for c in cells[wrong]])}. {act}."
        )
