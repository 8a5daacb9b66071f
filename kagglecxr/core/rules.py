"""What a leaderboard scores by."""

from dataclasses import dataclass

from kagglecxr.core.metrics import Metric
from kagglecxr.core.submission_format import SubmissionFormat


@dataclass(frozen=True)
class ScoringSpec:
    """What a leaderboard scores by.

    Attributes:
        competition: its name.
        form: the submission's.
        targets: their names, in order.
        metric: the competition's score.
    """

    competition: str
    form: SubmissionFormat
    targets: list[str]
    metric: Metric
