"""Sends a submission exactly once, even if the process is killed at any moment.

A line is in the ledger before the first byte leaves, and its message ends with a mark by which the
submission is found again on Kaggle.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kagglecxr.core.errors import SubmissionError
from kagglecxr.core.progress import Reporter
from kagglecxr.leaderboard.kaggle_scores import find_submission
from kagglecxr.leaderboard.ledger import (
    COMPLETE,
    ERROR,
    PENDING,
    REFUSED,
    SENDING,
    LedgerEntry,
    add_entry,
    amend_entry,
    read_ledger,
    utc_now,
)
from kagglecxr.leaderboard.quota import (
    check_accepts,
    check_quota,
    fetch_competition_info,
    fetch_quota,
)
from kagglecxr.leaderboard.submission import Submission
from kagglecxr.remote.client import PollPolicy, call_with_retry
from kagglecxr.remote.errors import KaggleError, competition_context

NOTHING_SUBMITTED = 200
"""The status of a response that has no submission's number."""
LISTED_WITHIN = 120.0
"""Seconds after which Kaggle's list surely holds what was sent."""


@dataclass(frozen=True)
class SubmissionRequest:
    """What to send to Kaggle, and the ledger to write.

    Attributes:
        competition: its name in the ledger.
        slug: its name on Kaggle.
        local_score: its out-of-fold score, where it is known.
        again: send it even if it was submitted before.
    """

    competition: str
    slug: str
    submission: Submission
    ledger: Path
    message: str = ""
    local_score: str = ""
    again: bool = False


def send_once(request: SubmissionRequest, reporter: Reporter, max_wait: float) -> LedgerEntry:
    """Sends a submission if Kaggle does not have it yet; pauses take `max_wait` seconds at most.

    Returns:
        The ledger's line, with the submission's number.

    Raises:
        SubmissionError: it was submitted before, or none is left.
        MissingError: the client or the credentials are missing.
        KaggleError: Kaggle refused, did not answer, or could not be reached.
    """
    entry = _resumable_entry(request, reporter)
    if entry is None or entry.status == SENDING:
        return _send(request, entry, reporter, max_wait)
    return entry


def _resumable_entry(request: SubmissionRequest, reporter: Reporter) -> LedgerEntry | None:
    """Returns the line of this very submission; None if it is to be sent on a new line.

    A line that says "sending" is of a process that ended before Kaggle responded. It is sent again
    if it never arrived.
    """
    submission = request.submission
    sent = [
        entry
        for entry in read_ledger(request.ledger)
        if (entry.competition, entry.sha256) == (request.competition, submission.sha256)
        and entry.status in (SENDING, PENDING, COMPLETE, ERROR)
    ]
    if not sent:
        return None
    latest = sent[-1]
    if latest.status == SENDING:
        ref = _find_arrived(request.slug, latest, reporter)
        if ref is None:
            return latest
        return amend_entry(request.ledger, latest, ref=str(ref), status=PENDING)
    lacks_rank = latest.status == COMPLETE and not latest.rank
    if latest.status == PENDING or (lacks_rank and not request.again):
        return latest
    if request.again:
        return None
    raise SubmissionError(
        f"This very file was submitted before. Received: {submission.name}, sent {latest.time}, "
        f"public score {latest.public_score or latest.status}. Submit another, or add --again to "
        "spend a submission on it."
    )


def _find_arrived(slug: str, entry: LedgerEntry, reporter: Reporter) -> int | None:
    """Returns the number of the submission of a line that says "sending", if Kaggle has it."""
    found = re.search(r"\[[0-9a-f]{12}\.\d+\]\Z", entry.message)
    mark = found.group() if found else entry.message
    age = (utc_now() - datetime.fromisoformat(entry.time)).total_seconds()
    for _ in PollPolicy(max(0.0, LISTED_WITHIN - age)).pauses():
        ref = find_submission(slug, mark, reporter)
        if ref is not None:
            return ref
    return None


def _send(
    request: SubmissionRequest, entry: LedgerEntry | None, reporter: Reporter, max_wait: float
) -> LedgerEntry:
    slug, submission = request.slug, request.submission
    info = fetch_competition_info(slug, reporter)
    check_accepts(slug, info, submission.is_kernel)
    quota = fetch_quota(slug, info, reporter)
    check_quota(quota, utc_now())
    if entry is None:
        entry = _new_entry(request)
        add_entry(request.ledger, entry)
    message = entry.message
    reporter.note(f"Sending {submission.description} to {slug} as {message!r}: {quota}.")

    def send(api: Any) -> Any:
        response = submission.send(api, slug, message)
        if response.ref:
            return response
        # The client says so where the file did not reach Kaggle's storage.
        is_of_storage = response.message == api.COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE
        raise KaggleError(
            f"The upload to Kaggle broke off. Received: {response.message or 'no number'} for "
            f"{submission.name}. Run the same command again; nothing was submitted.",
            status=NOTHING_SUBMITTED,
            may_pass=is_of_storage,
            is_of_storage=is_of_storage,
        )

    try:
        response = call_with_retry(
            competition_context(slug, "a submission"), send, reporter,
            changes=True, max_wait=max_wait,
        )  # fmt: skip
    except KaggleError as error:
        # Any other failure may have come after the submission was made.
        if error.is_of_storage or (error.status is not None and error.status < 500):
            amend_entry(request.ledger, entry, status=REFUSED)
        raise
    return amend_entry(request.ledger, entry, ref=str(response.ref), status=PENDING)


def _new_entry(request: SubmissionRequest) -> LedgerEntry:
    sha256 = request.submission.sha256
    number = 1 + sum(entry.sha256 == sha256 for entry in read_ledger(request.ledger))
    return LedgerEntry(
        time=utc_now().isoformat(),
        competition=request.competition,
        file=request.submission.name,
        sha256=sha256,
        message=f"{request.message} [{sha256[:12]}.{number}]".strip(),
        status=SENDING,
        local_score=request.local_score,
    )
