"""What a leaderboard scores by."""

from dataclasses import dataclass

from kagglecxr.core.metrics import Metric
from kagglecxr.core.submission import SubmissionForm


@dataclass(frozen=True)
class Rules:
    """What a leaderboard scores by.

    Attributes:
        competition: its name.
        form: the submission's.
        targets: their names, in order.
        metric: the competition's score.
    """

    competition: str
    form: SubmissionForm
    targets: list[str]
    metric: Metric
