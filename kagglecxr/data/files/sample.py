"""A competition's sample submission: a table, and the file it was read from."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kagglecxr.core.errors import MissingError, shorten
from kagglecxr.data.files.tables import list_tables, read_any_table
from kagglecxr.data.schema import Layout

SAMPLE = "sample_submission.csv"
"""Kaggle's name of it, the default where the layout has none."""


@dataclass(frozen=True)
class SampleSubmission:
    """A sample submission; every cell of its table is text, and `path` is for messages."""

    path: Path
    table: pd.DataFrame

    @classmethod
    def read(cls, path: Path) -> "SampleSubmission":
        """Reads the file.

        Raises:
            MissingError: it is not there; the message names the tables that are.
        """
        if not path.is_file():
            there = shorten(list_tables(path.parent)) or "no table"
            raise MissingError(
                f"The sample submission does not exist. Received: {path}. Name it under [layout] "
                f"sample; there is {there}."
            )
        return cls(path, read_any_table(path))


def own_sample(root: Path, layout: Layout) -> SampleSubmission | None:
    """Returns the sample submission of a data folder that the layout names, None if it names none.

    Raises:
        MissingError: there is none of that name.
    """
    return SampleSubmission.read(root / layout.sample) if layout.sample else None
