"""How many submissions are left today, and when there are more."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from kagglecxr.core.errors import SubmissionError
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import RetryPolicy, call_with_retry
from kagglecxr.remote.errors import PAGE, KaggleError, competition_context

NOT_LISTED = 404


@dataclass(frozen=True)
class Quota:
    """What a team may still send.

    Attributes:
        today: how many it has sent.
        left: how many more it may send now; None where Kaggle does not say.
        is_total: what ends is the competition's number of submissions, not the day's.
    """

    today: int
    left: int | None
    is_total: bool = False

    def __str__(self) -> str:
        if self.left is None:
            return f"{self.today} sent today, how many are left is not known"
        return f"{self.left} left {'in all' if self.is_total else 'today'}, {self.today} sent today"


@dataclass(frozen=True)
class CompetitionInfo:
    """What Kaggle says of a competition to those who are signed in.

    Attributes:
        has_joined: the user has entered.
        kernels_only: it takes kernels only, no files.
        is_closed: nothing is taken any more.
        daily: submissions a day; 0 where Kaggle does not say.
    """

    has_joined: bool
    kernels_only: bool
    is_closed: bool
    daily: int


def fetch_competition_info(
    slug: str, reporter: Reporter, patience: RetryPolicy = RetryPolicy()
) -> CompetitionInfo | None:
    """The terms of a competition; None where Kaggle's search does not find it."""

    def find(api: Any) -> CompetitionInfo | None:
        for found in api.competitions_list(search=slug, page_size=100).competitions:
            if found.ref.rstrip("/").rpartition("/")[2] == slug:
                return CompetitionInfo(
                    found.user_has_entered,
                    found.is_kernels_submissions_only,
                    found.submissions_disabled,
                    found.max_daily_submissions,
                )
        return None

    return call_with_retry(competition_context(slug, "the page"), find, reporter, patience=patience)


def fetch_quota(
    slug: str,
    terms: CompetitionInfo | None,
    now: datetime,
    reporter: Reporter,
    patience: RetryPolicy = RetryPolicy(),
) -> Quota:
    """How many submissions are left; counted from the list of submissions by older clients."""
    errand = competition_context(slug, "the limits")
    told = call_with_retry(
        errand, lambda api: _reported_quota(api, slug), reporter, patience=patience
    )
    if told is not None:
        return told
    try:
        days = call_with_retry(errand, lambda api: _days(api, slug), reporter, patience=patience)
    except KaggleError as error:
        # Of a team that has sent nothing yet there is no list.
        if error.status != NOT_LISTED:
            raise
        days = []
    today = days.count(now.date())
    daily = terms.daily if terms else 0
    return Quota(today, max(0, daily - today) if daily else None)


def _reported_quota(api: Any, slug: str) -> Quota | None:
    """What Kaggle says; nothing but zeros where it knows of no team yet."""
    if not hasattr(api, "competition_get_submission_limits"):
        return None
    limits = api.competition_get_submission_limits(slug)
    if not any((limits.num_today, limits.num_total, limits.num_allowed_now)):
        return None
    return Quota(limits.num_today, limits.num_allowed_now, limits.limited_by_total)


def _days(api: Any, slug: str) -> list[date]:
    sent = api.competition_submissions(slug, page_size=100) or []
    return [one.date.date() for one in sent if one.date is not None]


def check_accepts(slug: str, terms: CompetitionInfo | None, is_kernel: bool) -> None:
    """Refuses what the competition would.

    Raises:
        SubmissionError: not joined, closed, or a file where kernels are wanted.
    """
    if terms is None:
        return
    page = f"{PAGE}/competitions/{slug}"
    if terms.is_closed:
        raise SubmissionError(
            f"The competition takes no submissions. Received: {slug}. Use --local, or choose "
            "another competition."
        )
    if not terms.has_joined:
        raise SubmissionError(
            f"You have not joined the competition. Received: {slug}. Open {page}/rules, signed in "
            "as the credentials' user, and accept the rules."
        )
    if terms.kernels_only and not is_kernel:
        raise SubmissionError(
            f"This competition takes kernels, no files. Received: a file for {slug}. Run: python "
            "-m kagglecxr.kernel push kernels/submit, then submit with --kernel OWNER/SLUG "
            "--version N."
        )


def check_quota(allowance: Quota, now: datetime) -> None:
    """Refuses a submission for which there is no room.

    Raises:
        SubmissionError: none is left; the sentence says when there is one again.
    """
    if allowance.left != 0:
        return
    if allowance.is_total:
        raise SubmissionError(
            f"No submissions are left in this competition. Received: {allowance}. Choose which of "
            "yours shall count on its page."
        )
    reset = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
    minutes = int((reset - now).total_seconds()) // 60
    raise SubmissionError(
        f"The daily limit of submissions is reached. Received: {allowance}. Submit again after "
        f"00:00 UTC, in {minutes // 60} h {minutes % 60} min."
    )
