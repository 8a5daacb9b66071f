"""What an ensemble is: its runs, and what is done with their probabilities, in blend.json."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import read_json, write_json
from kagglecxr.ensembling.fitting import FittedEnsemble, read_fitted

RECORD = "blend.json"


@dataclass(frozen=True)
class EnsembleRecord:
    """The contents of blend.json.

    Attributes:
        runs: the names of the runs that predict, in the order in which `combine` takes them.
        combine: makes one array of probabilities (N, targets) of those of the runs.
        targets: the names of the columns.
        views: the views that all runs predict from; empty for those of each run's recipe.
        metric: by which the scores are.
        out_of_fold: the score of out-of-fold predictions, those of each fold by an ensemble fitted
            on the others; None where a run in it has none.
        apparent: the score of its own, on which it was fitted; None likewise.
        submission: the CSV for the leaderboard.
    """

    runs: list[str]
    combine: FittedEnsemble
    targets: list[str]
    views: list[str]
    metric: str
    out_of_fold: float | None
    apparent: float | None
    submission: str

    @property
    def is_mean(self) -> bool:
        """Whether it is no more than the mean of its runs, with the views of their recipes."""
        return self.combine.is_mean and not self.views

    def write(self, folder: Path) -> None:
        """Writes blend.json."""
        write_json(folder / RECORD, asdict(self))


def read_ensemble(folder: Path) -> EnsembleRecord:
    """Reads an ensemble's blend.json.

    Raises:
        DataError: it is damaged, or written by another version.
    """
    path = folder / RECORD
    try:
        values: dict[str, Any] = read_json(path)
        return EnsembleRecord(**{**values, "combine": read_fitted(values["combine"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"An ensemble's record cannot be read, or is of another version. Received: {path} "
            f"({error}). Make that ensemble again with the verb ensemble."
        ) from error
