"""Submits to Kaggle once, waits for the score, and writes the ledger at each step."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kagglecxr.core.errors import SubmissionError
from kagglecxr.core.progress import Reporter
from kagglecxr.leaderboard.kaggle_scores import (
    COMPLETE,
    ERROR,
    PENDING,
    LeaderboardRank,
    ScoredSubmission,
    fetch_rank,
    list_submissions,
    wait_for_score,
)
from kagglecxr.leaderboard.ledger import LedgerEntry, add_entry, amend_entry, read_ledger
from kagglecxr.leaderboard.quota import (
    check_accepts,
    check_quota,
    fetch_competition_info,
    fetch_quota,
)
from kagglecxr.leaderboard.submission import KernelSubmission, Submission
from kagglecxr.remote.client import PollPolicy, RetryPolicy, call_with_retry
from kagglecxr.remote.errors import KaggleError, competition_context

SENDING, REFUSED = "sending", "refused"
LISTED_WITHIN = 120.0
"""Seconds after which Kaggle's list surely holds what was sent."""


@dataclass(frozen=True)
class SubmissionRequest:
    """A submission that is wanted.

    Attributes:
        competition: as the ledger calls it.
        slug: as Kaggle calls it.
        parcel: what is sent.
        message: the submitter's.
        local_score: its out-of-fold score, where it is known.
        again: send it though it was scored before.
    """

    competition: str
    slug: str
    parcel: Submission
    message: str = ""
    local_score: str = ""
    again: bool = False


@dataclass(frozen=True)
class SubmitContext:
    """What a submission needs of the world.

    Attributes:
        ledger: the ledger's CSV.
        now: the time, in UTC.
        reporter: told of what goes on.
        waiting: for the score.
        patience: with too many requests.
    """

    ledger: Path
    now: Callable[[], datetime]
    reporter: Reporter
    waiting: PollPolicy = PollPolicy()
    patience: RetryPolicy = RetryPolicy()


@dataclass(frozen=True)
class SubmitResult:
    """What became of a submission.

    Attributes:
        entry: the ledger's line; its status is complete, or pending where the time was too short.
        place: the team's on the leaderboard, where it has one.
        before: the line of the competition's last scored submission, where there is one.
    """

    entry: LedgerEntry
    place: LeaderboardRank | None
    before: LedgerEntry | None

    @property
    def is_scored(self) -> bool:
        """Whether the time was long enough."""
        return self.entry.status == COMPLETE


def submit(order: SubmissionRequest, around: SubmitContext) -> SubmitResult:
    """Sends what is not yet sent, waits for its score, and writes both down.

    Killed at any moment and called again it goes on: what was sent is never sent twice.

    Raises:
        SubmissionError: it was scored before, there is no room for it, or Kaggle cannot score it.
        MissingError: there is no client, or there are no credentials.
        KaggleError: Kaggle refused, fell silent, or could not be reached.
    """
    entry = _resumable_entry(order, around)
    if entry is None or entry.status == SENDING:
        entry = _send(order, entry, around)
    scored = wait_for_score(
        order.slug, int(entry.ref), around.reporter, around.waiting, around.patience
    )
    before = _last_scored(around.ledger, entry)
    if scored is None:
        return SubmitResult(entry, None, before)
    entry = amend_entry(
        around.ledger,
        entry,
        status=scored.status,
        public_score=scored.public_score,
        private_score=scored.private_score,
    )
    if scored.status == ERROR:
        raise SubmissionError(
            f"Kaggle could not score the submission. Received: {entry.file}, ref {entry.ref} "
            f"({scored.reason or 'no reason given'}). Mend it and submit again."
        )
    place = _find_rank(order.slug, scored, around)
    if place is not None:
        entry = amend_entry(around.ledger, entry, rank=str(place.rank))
    return SubmitResult(entry, place, before)


def _resumable_entry(order: SubmissionRequest, around: SubmitContext) -> LedgerEntry | None:
    """The line of this very parcel that is to be gone on with; None where it is to be sent.

    A line that says "sending" is of a process that ended before Kaggle's answer: it stays so where
    nothing has arrived.
    """
    sha256 = order.parcel.sha256
    known = [
        entry
        for entry in read_ledger(around.ledger)
        if (entry.competition, entry.sha256) == (order.competition, sha256)
        and entry.status in (SENDING, PENDING, COMPLETE, ERROR)
    ]
    if not known:
        return None
    latest = known[-1]
    if latest.status == SENDING:
        arrived = _find_arrived(order.slug, latest, around)
        if arrived is None:
            return latest
        return amend_entry(around.ledger, latest, ref=str(arrived.ref), status=PENDING)
    is_half_told = latest.status == COMPLETE and not latest.rank
    if latest.status == PENDING or (is_half_told and not order.again):
        return latest
    if order.again:
        return None
    told = latest.public_score or latest.status
    raise SubmissionError(
        f"This very file was submitted before. Received: {order.parcel.name}, sent {latest.time}, "
        f"public score {told}. Submit another, or add --again to spend a submission on it."
    )


def _find_arrived(slug: str, entry: LedgerEntry, around: SubmitContext) -> ScoredSubmission | None:
    """The submission of a line that says "sending", if Kaggle has it."""
    mark = _mark(entry.message)
    while True:
        for one in list_submissions(slug, around.reporter, around.patience):
            if one.description.endswith(mark):
                return one
        age = (around.now() - datetime.fromisoformat(entry.time)).total_seconds()
        if age >= LISTED_WITHIN:
            return None
        around.waiting.sleep(15.0)


def _send(
    order: SubmissionRequest, entry: LedgerEntry | None, around: SubmitContext
) -> LedgerEntry:
    """Sends the parcel; a line is in the ledger before the first byte leaves."""
    slug, parcel, reporter = order.slug, order.parcel, around.reporter
    terms = fetch_competition_info(slug, reporter, around.patience)
    check_accepts(slug, terms, isinstance(parcel, KernelSubmission))
    allowance = fetch_quota(slug, terms, around.now(), reporter, around.patience)
    check_quota(allowance, around.now())
    if entry is None:
        entry = _new_entry(order, around)
        add_entry(around.ledger, entry)
    reporter.note(f"Sending {parcel.description} to {slug} as {entry.message!r}: {allowance}.")
    errand = competition_context(slug, "a submission")
    message = entry.message
    try:
        answer = call_with_retry(
            errand, lambda api: parcel.send(api, slug, message), reporter, patience=around.patience
        )
    except KaggleError as error:
        # Any other failure may have come after the submission was made.
        if error.status is not None and error.status < 500:
            amend_entry(around.ledger, entry, status=REFUSED)
        raise
    if not answer.ref:
        amend_entry(around.ledger, entry, status=REFUSED)
        raise KaggleError(
            f"The upload to Kaggle broke off. Received: {answer.message or 'no number'} for "
            f"{parcel.name}. Run the same command again; nothing was submitted."
        )
    return amend_entry(around.ledger, entry, ref=str(answer.ref), status=PENDING)


def _new_entry(order: SubmissionRequest, around: SubmitContext) -> LedgerEntry:
    sha256 = order.parcel.sha256
    sent = [entry for entry in read_ledger(around.ledger) if entry.sha256 == sha256]
    mark = f"[{sha256[:12]}.{len(sent) + 1}]"
    return LedgerEntry(
        time=around.now().isoformat(timespec="seconds"),
        competition=order.competition,
        file=order.parcel.name,
        sha256=sha256,
        message=f"{order.message} {mark}".strip(),
        status=SENDING,
        local_score=order.local_score,
    )


def _mark(message: str) -> str:
    """The end of a description by which a submission is known again."""
    found = re.search(r"\[[0-9a-f]{12}\.\d+\]\Z", message)
    return found.group() if found else message


def _last_scored(ledger: Path, entry: LedgerEntry) -> LedgerEntry | None:
    lines = read_ledger(ledger)
    before = lines[: lines.index(entry)]
    scored = [
        line for line in before if line.competition == entry.competition and line.status == COMPLETE
    ]
    return scored[-1] if scored else None


def _find_rank(
    slug: str, scored: ScoredSubmission, around: SubmitContext
) -> LeaderboardRank | None:
    try:
        return fetch_rank(slug, scored.team, around.reporter, around.patience)
    except KaggleError as error:
        # The score is there and written down: a rank is not worth losing it.
        around.reporter.note(str(error))
        return None


def describe_result(outcome: SubmitResult) -> str:
    """Public score, the change since the last one, rank: a line each."""
    entry = outcome.entry
    scores = f"Public score {entry.public_score}" if entry.public_score else "No public score"
    if entry.private_score:
        scores += f", private {entry.private_score}"
    if entry.local_score:
        scores += f", out-of-fold {float(entry.local_score):.4f}"
    lines = [f"{scores}{_change(outcome)}"]
    if outcome.place is not None:
        place = outcome.place
        lines.append(f"Rank {place.rank} of {place.teams} with the team's best, {place.score}")
    else:
        lines.append("The team is not on the leaderboard yet")
    return "\n".join(lines)


def _change(outcome: SubmitResult) -> str:
    before, entry = outcome.before, outcome.entry
    try:
        change = float(entry.public_score) - float(before.public_score if before else "")
    except ValueError:
        return ""
    return f" ({change:+.5f} since {before.time if before else ''})"
