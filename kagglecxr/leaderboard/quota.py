"""What a competition on Kaggle accepts, and how many submissions are left."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kagglecxr.core.errors import SubmissionError
from kagglecxr.core.progress import Reporter
from kagglecxr.remote.client import call_with_retry
from kagglecxr.remote.errors import PAGE, competition_context


@dataclass(frozen=True)
class CompetitionInfo:
    """What Kaggle says of a competition; its daily limit is 0 where it does not say."""

    has_joined: bool
    kernels_only: bool
    is_closed: bool
    daily_limit: int


@dataclass(frozen=True)
class Quota:
    """How many submissions a team has sent today, and how many are left where Kaggle says so.

    What is left is of the day, or `is_total`: of the competition.
    """

    today: int
    left: int | None
    is_total: bool = False

    def __str__(self) -> str:
        if self.left is None:
            return f"{self.today} sent today, how many are left is not known"
        return f"{self.left} left {'in all' if self.is_total else 'today'}, {self.today} sent today"


def fetch_competition_info(slug: str, reporter: Reporter) -> CompetitionInfo | None:
    """Returns what Kaggle says of a competition; None where its search does not find it."""

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

    return call_with_retry(competition_context(slug, "the page"), find, reporter)


def fetch_quota(slug: str, info: CompetitionInfo | None, reporter: Reporter) -> Quota:
    """Returns how many submissions are left."""
    limits = call_with_retry(
        competition_context(slug, "the limits"),
        lambda api: api.competition_get_submission_limits(slug),
        reporter,
    )
    if not any((limits.num_today, limits.num_total, limits.num_allowed_now)):
        # All zeros: Kaggle knows of no team yet, so nothing was sent.
        return Quota(0, (info.daily_limit if info else 0) or None)
    return Quota(limits.num_today, limits.num_allowed_now, limits.limited_by_total)


def check_accepts(slug: str, info: CompetitionInfo | None, is_kernel: bool) -> None:
    """Refuses a submission that the competition would refuse.

    Raises:
        SubmissionError: not joined, closed, or a file where kernels are wanted.
    """
    if info is None:
        return
    if info.is_closed:
        raise SubmissionError(
            f"The competition takes no submissions. Received: {slug}. Use --local, or choose "
            "another competition."
        )
    if not info.has_joined:
        raise SubmissionError(
            f"You have not joined the competition. Received: {slug}. Open "
            f"{PAGE}/competitions/{slug}/rules, signed in as the credentials' user, and accept the "
            "rules."
        )
    if info.kernels_only and not is_kernel:
        raise SubmissionError(
            f"This competition takes kernels, no files. Received: a file for {slug}. Run: python "
            "-m kagglecxr.kernel push kernels/submit, then submit with --kernel OWNER/SLUG "
            "--version N."
        )


def check_quota(quota: Quota, now: datetime) -> None:
    """Refuses a submission where none is left.

    Raises:
        SubmissionError: none is left; the sentence says when there is one again.
    """
    if quota.left != 0:
        return
    if quota.is_total:
        raise SubmissionError(
            f"No submissions are left in this competition. Received: {quota}. Choose on its "
            "page which of yours count."
        )
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    minutes = (midnight - now) // timedelta(minutes=1)
    raise SubmissionError(
        f"The daily limit of submissions is reached. Received: {quota}. Submit again after "
        f"00:00 UTC, in {minutes // 60} h {minutes % 60} min."
    )
