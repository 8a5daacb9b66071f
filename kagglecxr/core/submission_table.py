"""A submission's table against the sample submission: columns, ids, empty and wrong cells."""

from collections.abc import Collection
from typing import TypeAlias

import pandas as pd

from kagglecxr.core.errors import SubmissionError, shorten

TextCells: TypeAlias = "pd.Series[str]"


def validate_like_sample(submission: pd.DataFrame, sample: pd.DataFrame) -> None:
    """Validates a submission of unknown format by the sample, whose first column holds the ids.

    Raises:
        SubmissionError: as `SubmissionFormat.validate` does; text where the sample has numbers.
    """
    table = in_sample_order(submission, sample, sample.columns[0], [])
    for column in table.columns[1:]:
        if pd.to_numeric(sample[column], errors="coerce").notna().all():
            is_text = pd.to_numeric(table[column], errors="coerce").isna()
            refuse_cells(is_text, table[column], "Use numbers, as the sample submission does")


def in_sample_order(
    submission: pd.DataFrame, sample: pd.DataFrame, id_column: str, targets: Collection[str]
) -> pd.DataFrame:
    """Returns the submission's lines in the sample's order; refuses other ids and empty cells."""
    expected = list(sample.columns)
    if list(submission.columns) != expected:
        raise SubmissionError(
            f"The submission's columns are wrong. Received: {list(submission.columns)}. "
            f"Write exactly {expected}."
        )
    received, wanted = submission[id_column], sample[id_column]
    doubled = set(received[received.duplicated()])
    missing, extra = set(wanted) - set(received), set(received) - set(wanted)
    for wrong, what, act in (
        (doubled, "ids more than once", "Keep one line for each id"),
        (missing, "too few ids", "Add a line for each id of the sample submission"),
        (extra, "ids that are not in the sample submission", "Leave them out"),
    ):
        if wrong:
            raise SubmissionError(
                f"The submission has {what}. Received: {len(wrong)} such ids, "
                f"{shorten(sorted(wrong))}. {act}."
            )
    table = submission.set_index(id_column).loc[wanted].reset_index()
    for column in table.columns.drop(id_column):
        empty = table[column].str.strip().str.lower().isin(["", "nan", "none", "null"])
        empty &= ~table[column].isin(targets)  # a class may be called "none"
        if empty.any():
            raise SubmissionError(
                f"The submission has {int(empty.sum())} empty or NaN cells. Received: column "
                f"{column!r} of ids {shorten(list(table.loc[empty, id_column]))}. Fill them in."
            )
    return table


def refuse_cells(wrong: "pd.Series[bool]", cells: TextCells, act: str) -> None:
    """Raises a SubmissionError that shows the wrong cells and says what to do, if there are any."""
    if wrong.any():
        raise SubmissionError(
            f"The submission has answers that cannot be scored. Received: "
            f"{int(wrong.sum())} of them, {shorten([repr(c) for c in cells[wrong]])}. {act}."
        )
