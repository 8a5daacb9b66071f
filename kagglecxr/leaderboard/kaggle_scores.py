"""The score and the rank that Kaggle gives a submission."""

from dataclasses import dataclass
from typing import Any

from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import PollPolicy, RetryPolicy, call_with_retry
from kagglecxr.remote.errors import KaggleError, competition_context

PENDING, COMPLETE, ERROR = "pending", "complete", "error"
NOT_YET_LISTED = 404


@dataclass(frozen=True)
class ScoredSubmission:
    """What Kaggle says of a submission.

    Attributes:
        ref: its number.
        status: pending, complete or error.
        public_score: as Kaggle writes it; empty where there is none.
        private_score: likewise.
        team: whose it is.
        reason: why there is no score.
        description: what it was sent with.
    """

    ref: int
    status: str
    public_score: str
    private_score: str
    team: str
    reason: str
    description: str


def list_submissions(
    slug: str, reporter: Reporter, patience: RetryPolicy = RetryPolicy()
) -> list[ScoredSubmission]:
    """The team's latest submissions, newest first."""

    def call(api: Any) -> list[ScoredSubmission]:
        return [_scored(one) for one in api.competition_submissions(slug, page_size=100) or []]

    return call_with_retry(
        competition_context(slug, "the submissions"), call, reporter, patience=patience
    )


def wait_for_score(
    slug: str,
    ref: int,
    reporter: Reporter,
    waiting: PollPolicy = PollPolicy(),
    patience: RetryPolicy = RetryPolicy(),
) -> ScoredSubmission | None:
    """A submission as soon as it is scored; None where it was not within the time.

    Right after sending it may be missing from the list, or the list from Kaggle: that is pending.

    Args:
        slug: the competition's.
        ref: the submission's number.
        reporter: shown a bar.
        waiting: for how long.
        patience: with too many requests.

    Raises:
        KaggleError: Kaggle cannot be asked; the submission is not lost.
    """
    with reporter.bar("Waiting for the score", int(waiting.most)) as bar:
        for pause in waiting.pauses():
            bar.advance(int(pause))
            try:
                listed = list_submissions(slug, reporter, patience)
            except KaggleError as error:
                if error.status != NOT_YET_LISTED:
                    raise
                listed = []
            for one in listed:
                if one.ref == ref and one.status != PENDING:
                    return one
    return None


def _scored(one: Any) -> ScoredSubmission:
    return ScoredSubmission(
        ref=one.ref,
        status=one.status.name.lower(),
        public_score=one.public_score or "",
        private_score=one.private_score or "",
        team=one.team_name or "",
        reason=one.error_description or "",
        description=one.description or "",
    )


PAGES = 200


@dataclass(frozen=True)
class LeaderboardRank:
    """Where a team stands.

    Attributes:
        rank: 1 is the best.
        teams: how many there are.
        score: the team's best, as Kaggle writes it.
    """

    rank: int
    teams: int
    score: str


def fetch_rank(
    slug: str, team: str, reporter: Reporter, patience: RetryPolicy = RetryPolicy()
) -> LeaderboardRank | None:
    """The team's place, all pages of the leaderboard read; None where it has none yet."""

    def look(api: Any) -> LeaderboardRank | None:
        lines = _lines(api, slug)
        mine = [i for i, (name, _) in enumerate(lines) if name == team]
        if not mine:
            return None
        return LeaderboardRank(mine[0] + 1, len(lines), lines[mine[0]][1])

    return call_with_retry(
        competition_context(slug, "the leaderboard"), look, reporter, patience=patience
    )


def _lines(api: Any, slug: str) -> list[tuple[str, str]]:
    """Team and score of every line.

    The client's own function prints the token of the next page and does not return it.
    """
    from kagglesdk.competitions.types.competition_api_service import ApiGetLeaderboardRequest

    request = ApiGetLeaderboardRequest()
    request.competition_name = slug
    request.page_size = 200
    lines: list[tuple[str, str]] = []
    with api.build_kaggle_client() as client:
        for _ in range(PAGES):
            answer = client.competitions.competition_api_client.get_leaderboard(request)
            lines += [(line.team_name or "", line.score or "") for line in answer.submissions]
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
    return lines
