"""Formats of a submission: its columns, what its cells hold, how it is built and validated.

To add a format, write its class here and register it in FORMATS.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import SettingError
from kagglecxr.core.finding_metrics import PRESENT
from kagglecxr.core.findings import NO_FINDING, SEPARATOR
from kagglecxr.core.labels import class_numbers
from kagglecxr.core.registry import Registry
from kagglecxr.core.sample_answers import split_id
from kagglecxr.core.submission_table import TextCells, in_sample_order, refuse_cells

Probabilities = npt.NDArray[np.floating]
TypedCells: TypeAlias = "pd.Series[str] | pd.Series[int] | pd.Series[float]"


@dataclass(frozen=True)
class SubmissionFormat(ABC):
    """The columns of a submission and what they hold.

    Attributes:
        targets: names of the targets, in order.
        id: name of the column of image ids.
        target: name of the answer's column, unused where each target has its own.
        positive: the target whose probability is submitted; defaults to the last one.
        separator: between the names of several findings in one cell.
        none: the cell of an image without any of them.
    """

    targets: list[str]
    id: str = "id"
    target: str = "label"
    positive: str | None = None
    separator: str = SEPARATOR
    none: str = NO_FINDING
    holds_probabilities: ClassVar[bool] = True

    def columns(self) -> list[str]:
        """Returns all columns of the file, in order."""
        return [self.id, self.target]

    @abstractmethod
    def build(self, ids: list[str], probabilities: Probabilities) -> pd.DataFrame:
        """Returns the submission for probabilities (N, targets)."""

    @abstractmethod
    def parse(self, submission: pd.DataFrame, ids: Sequence[str]) -> Probabilities:
        """Returns the probabilities (N, targets) of images in a validated submission.

        Classes have 1, others 0.
        """

    def image_ids(self, sample: Sequence[str]) -> list[str]:
        """Returns the ids of the images that a sample submission's ids ask for, in their order."""
        return list(sample)

    def build_like(
        self, sample: pd.DataFrame, ids: list[str], probabilities: Probabilities
    ) -> pd.DataFrame:
        """Returns the submission with the lines and columns of a sample, in its order."""
        table = self.build(ids, probabilities).set_index(self.id).loc[list(sample[self.id])]
        return table.reset_index()[list(sample.columns)]

    def validate(self, submission: pd.DataFrame, sample: pd.DataFrame) -> pd.DataFrame:
        """Returns the submission in the sample's order, with typed cells.

        Both tables are as `read_table` returns them, every cell text.

        Raises:
            SubmissionError: wrong columns; a missing, extra or doubled id; an empty cell; an
                unknown class; a number that is no probability.
        """
        table = in_sample_order(submission, sample, self.id, [*self.targets, *self._words()])
        for column in table.columns.drop(self.id):
            table[column] = self._typed(table[column])
        return table

    def _words(self) -> list[str]:
        """Returns what a cell may hold besides targets, though it looks empty."""
        return []

    def _typed(self, cells: TextCells) -> TypedCells:
        """Returns the cells of a column, typed; they are probabilities by default."""
        numbers = pd.to_numeric(cells, errors="coerce")
        refuse_cells(~numbers.between(0.0, 1.0), cells, "Use probabilities between 0 and 1")
        return numbers.astype(float)


FORMATS = Registry[type[SubmissionFormat]]("submission form")
COLUMN_A_CLASS, JOINED = "one_column_a_class", "joined"


class _LinePerImageFormat(SubmissionFormat):
    """A line for each image."""

    def build(self, ids: list[str], probabilities: Probabilities) -> pd.DataFrame:
        table = pd.DataFrame(self._cells(probabilities), columns=self.columns()[1:])
        table.insert(0, self.id, ids)
        return table

    def parse(self, submission: pd.DataFrame, ids: Sequence[str]) -> Probabilities:
        return self._parse(submission.set_index(self.id).loc[list(ids)])

    @abstractmethod
    def _cells(self, probabilities: Probabilities) -> npt.NDArray[np.generic]:
        """Returns the cells (N,) or (N, columns) for probabilities (N, targets)."""

    @abstractmethod
    def _parse(self, rows: pd.DataFrame) -> Probabilities:
        """Returns the probabilities (N, targets) of validated rows, one per image."""

    def _one_hot(self, ids: list[int]) -> Probabilities:
        return np.eye(len(self.targets))[np.array(ids, np.intp)]


@FORMATS.add_as("class")
class _ClassFormat(_LinePerImageFormat):
    """The name of the most probable class."""

    holds_probabilities = False

    def _parse(self, rows: pd.DataFrame) -> Probabilities:
        return self._one_hot([self.targets.index(name) for name in rows[self.target]])

    def _cells(self, probabilities: Probabilities) -> npt.NDArray[np.generic]:
        return np.array([self.targets[k] for k in probabilities.argmax(axis=1)], object)

    def _typed(self, cells: TextCells) -> TypedCells:
        refuse_cells(~cells.isin(self.targets), cells, f"Use one of {', '.join(self.targets)}")
        return cells


@FORMATS.add_as("class_id")
class _ClassIdFormat(_LinePerImageFormat):
    """The number of the most probable class: its own if classes are numbers, else from 0."""

    holds_probabilities = False

    def _parse(self, rows: pd.DataFrame) -> Probabilities:
        numbers = class_numbers(self.targets)
        return self._one_hot([numbers.index(number) for number in rows[self.target]])

    def _cells(self, probabilities: Probabilities) -> npt.NDArray[np.generic]:
        own = class_numbers(self.targets)
        return np.array([own[k] for k in probabilities.argmax(axis=1)])

    def _typed(self, cells: TextCells) -> TypedCells:
        numbers = pd.to_numeric(cells, errors="coerce")
        own = class_numbers(self.targets)
        refuse_cells(~numbers.isin(own), cells, f"Use one of {', '.join(map(str, own))}")
        return numbers.astype(int)


@FORMATS.add_as("probability")
class _ProbabilityFormat(_LinePerImageFormat):
    """The probability of the positive class."""

    def _parse(self, rows: pd.DataFrame) -> Probabilities:
        positive = rows[self.target].to_numpy(np.float64)
        columns = np.repeat(1.0 - positive[:, None], len(self.targets), axis=1)
        columns[:, self._positive_column()] = positive
        return columns

    def _cells(self, probabilities: Probabilities) -> npt.NDArray[np.generic]:
        return probabilities[:, self._positive_column()]

    def _positive_column(self) -> int:
        if self.positive and self.positive not in self.targets:
            raise SettingError(
                f"The positive class is no target. Received: {self.positive!r}. Name one of "
                f"{', '.join(self.targets)} under [submission] positive."
            )
        return self.targets.index(self.positive or self.targets[-1])


@FORMATS.add_as(COLUMN_A_CLASS)
class _ColumnPerClassFormat(_LinePerImageFormat):
    """The probability of each target, in a column of its own."""

    def columns(self) -> list[str]:
        return [self.id, *self.targets]

    def _parse(self, rows: pd.DataFrame) -> Probabilities:
        return rows[self.targets].to_numpy(np.float64)

    def _cells(self, probabilities: Probabilities) -> npt.NDArray[np.generic]:
        return probabilities


@FORMATS.add_as(JOINED)
class _JoinedFormat(_LinePerImageFormat):
    """The names of the findings with a probability of 0.5 or more, joined."""

    holds_probabilities = False

    def _parse(self, rows: pd.DataFrame) -> Probabilities:
        said = [self._names(cell) for cell in rows[self.target]]
        return np.array([[float(name in names) for name in self.targets] for names in said])

    def _cells(self, probabilities: Probabilities) -> npt.NDArray[np.generic]:
        said = [np.flatnonzero(row >= PRESENT) for row in probabilities]
        cells = [self.separator.join(self.targets[k] for k in row) or self.none for row in said]
        return np.array(cells, object)

    def _typed(self, cells: TextCells) -> TypedCells:
        is_wrong = cells.map(lambda cell: not set(self._names(cell)) <= set(self.targets))
        known = ", ".join(self.targets)
        refuse_cells(is_wrong, cells, f"Join {known} by {self.separator!r}, or write {self.none!r}")
        return cells

    def _names(self, cell: str) -> list[str]:
        between = self.separator.strip() or self.separator
        return [] if cell == self.none else [part.strip() for part in cell.split(between)]

    def _words(self) -> list[str]:
        return [self.none]


@FORMATS.add_as("long")
class _LinePerClassFormat(SubmissionFormat):
    """The probability of each target, on a line of its own whose id is `IMAGE_TARGET`."""

    def image_ids(self, sample: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(split_id(one, self.targets)[0] for one in sample))

    def build(self, ids: list[str], probabilities: Probabilities) -> pd.DataFrame:
        lines = [f"{one}_{target}" for one in ids for target in self.targets]
        return pd.DataFrame({self.id: lines, self.target: probabilities.ravel()})

    def parse(self, submission: pd.DataFrame, ids: Sequence[str]) -> Probabilities:
        value_of = submission.set_index(self.id)[self.target]
        lines = [f"{one}_{target}" for one in ids for target in self.targets]
        return value_of.loc[lines].to_numpy(np.float64).reshape(len(ids), len(self.targets))
