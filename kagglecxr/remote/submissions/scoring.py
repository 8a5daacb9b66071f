"""Waits for the score of a submission."""

from dataclasses import dataclass
from typing import Any

from kagglecxr.core.progress import Reporter
from kagglecxr.remote.asking import Patience, ask
from kagglecxr.remote.errands import competition_errand
from kagglecxr.remote.failures import KaggleError
from kagglecxr.remote.waiting import Waiting

PENDING, COMPLETE, ERROR = "pending", "complete", "error"
NOT_YET_LISTED = 404


@dataclass(frozen=True)
class Scored:
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
    slug: str, reporter: Reporter, patience: Patience = Patience()
) -> list[Scored]:
    """The team's latest submissions, newest first."""

    def call(api: Any) -> list[Scored]:
        return [_scored(one) for one in api.competition_submissions(slug, page_size=100) or []]

    return ask(competition_errand(slug, "the submissions"), call, reporter, patience=patience)


def wait_for_score(
    slug: str,
    ref: int,
    reporter: Reporter,
    waiting: Waiting = Waiting(),
    patience: Patience = Patience(),
) -> Scored | None:
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


def _scored(one: Any) -> Scored:
    return Scored(
        ref=one.ref,
        status=one.status.name.lower(),
        public_score=one.public_score or "",
        private_score=one.private_score or "",
        team=one.team_name or "",
        reason=one.error_description or "",
        description=one.description or "",
    )
