"""Fetches the score and the rank of a submission from Kaggle."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from kagglecxr.core.progress import Reporter
from kagglecxr.leaderboard.ledger import PENDING
from kagglecxr.remote.client import PollPolicy, call_with_retry
from kagglecxr.remote.errors import KaggleError, competition_context

NOT_FOUND = 404


@dataclass(frozen=True)
class ScoredSubmission:
    """What Kaggle says of a submission; what is not known is empty."""

    status: str
    public_score: str
    private_score: str
    team: str
    reason: str


@dataclass(frozen=True)
class LeaderboardRank:
    """A team's rank among all teams, and its best score as Kaggle writes it."""

    rank: int
    teams: int
    score: str


def find_submission(slug: str, mark: str, reporter: Reporter) -> int | None:
    """Returns the number of the team's latest submission whose description ends with a mark."""

    def find(api: Any) -> int | None:
        for listed in api.competition_submissions(slug, page_size=100) or []:
            if (listed.description or "").endswith(mark):
                return int(listed.ref)
        return None

    return call_with_retry(competition_context(slug, "the submissions"), find, reporter)


def wait_for_score(
    slug: str, ref: int, reporter: Reporter, max_wait: float
) -> ScoredSubmission | None:
    """Returns a submission as soon as it is scored; None after `max_wait` seconds.

    Raises:
        KaggleError: Kaggle cannot be reached; the submission is not lost.
    """

    def fetch(api: Any) -> ScoredSubmission:
        found = api.get_submission(ref)
        return ScoredSubmission(
            status=found.status.name.lower(),
            public_score=found.public_score or "",
            private_score=found.private_score or "",
            team=found.team_name or "",
            reason=found.error_description or "",
        )

    context = competition_context(slug, "the score")
    with reporter.bar("Waiting for the score", int(max_wait)) as bar:
        for pause in PollPolicy(max_wait).pauses():
            bar.advance(int(pause))
            try:
                submission = call_with_retry(context, fetch, reporter)
            except KaggleError as error:
                # Right after sending Kaggle may not know it yet.
                if error.status != NOT_FOUND:
                    raise
                continue
            if submission.status != PENDING:
                return submission
    return None


def fetch_rank(slug: str, team: str, reporter: Reporter) -> LeaderboardRank | None:
    """Returns a team's rank on the public leaderboard; None where it has none yet."""

    def find(api: Any) -> LeaderboardRank | None:
        with TemporaryDirectory() as folder:
            api.competition_leaderboard_download(slug, folder)
            # A zip file of one CSV: Rank,TeamId,TeamName,LastSubmissionDate,Score,...
            file = Path(folder, f"{slug}.zip")
            table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        ranked = table[table["Rank"] != "0"]  # the host's benchmarks have rank 0
        own = ranked[ranked["TeamName"] == team]
        if own.empty:
            return None
        return LeaderboardRank(int(own["Rank"].iloc[0]), len(ranked), own["Score"].iloc[0])

    return call_with_retry(competition_context(slug, "the leaderboard"), find, reporter)
