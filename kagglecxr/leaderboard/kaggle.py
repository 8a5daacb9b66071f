"""What `submit` does on Kaggle: validate, send once, wait for the score, look up the rank."""

from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from kagglecxr.core.errors import CxrError, SubmissionError
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.prepared import load_prepared
from kagglecxr.leaderboard.kaggle_scores import LeaderboardRank, fetch_rank, wait_for_score
from kagglecxr.leaderboard.ledger import COMPLETE, ERROR, LedgerEntry, amend_entry, read_ledger
from kagglecxr.leaderboard.medals import describe_zone
from kagglecxr.leaderboard.quota import fetch_competition_info, fetch_quota
from kagglecxr.leaderboard.send_once import SubmissionRequest, send_once
from kagglecxr.leaderboard.submission import (
    describe_form,
    file_submission,
    find_sample,
    kernel_submission,
    newest_submission,
    out_of_fold_score,
    validate_file,
)
from kagglecxr.leaderboard.submit_options import SubmitOptions
from kagglecxr.remote.credentials import credential_sources
from kagglecxr.remote.errors import KaggleError


@dataclass(frozen=True)
class SubmitResult:
    """The outcome of a submission.

    Attributes:
        entry: the ledger's line; its status is complete, or pending where the wait was too short.
        rank: the team's on the leaderboard, where it has one.
        previous: the line of the competition's last scored submission, where there is one.
    """

    entry: LedgerEntry
    rank: LeaderboardRank | None
    previous: LedgerEntry | None

    @property
    def is_scored(self) -> bool:
        """Whether the wait was long enough."""
        return self.entry.status == COMPLETE


def submit_to_kaggle(
    competition: Competition,
    workspace: Workspace,
    file: Path | None,
    options: SubmitOptions,
    ledger: Path,
    reporter: Reporter,
) -> tuple[str, str]:
    """Validates a submission and, unless it is a dry run, has Kaggle score it.

    The file defaults to the newest in the ledger's folder; with a kernel it is the name of the
    file that the kernel writes, which defaults to submission.csv.

    Returns:
        Lines of text about score and rank, and the last line to print.

    Raises:
        SubmissionError: the file is not in the sample submission's form, was submitted before, no
            submission is left, or Kaggle cannot score it.
        MissingError: no such file, no sample submission, no client or no credentials.
        KaggleError: Kaggle refused, did not answer, or could not be reached.
    """
    local_score = ""
    form = "What a kernel writes is not known here"
    if options.kernel is not None:
        name = str(file or "submission.csv")
        submission = kernel_submission(options.kernel, options.version or 0, name)
    else:
        file = file or newest_submission(ledger.parent, workspace)
        if workspace.prepared.is_file():
            competition = load_prepared(competition, workspace).competition
        sample = find_sample(workspace, competition.layout.sample)
        validate_file(file, sample, competition)
        if options.dry_run:
            is_own = bool(competition.layout.sample) or sample != workspace.sample_submission
            form = describe_form(file, sample, competition.submission.id, is_own=is_own)
        submission = file_submission(file)
        local_score = out_of_fold_score(workspace, file)
    slug = competition.source.slug
    if options.dry_run:
        quota = _describe_quota(slug, reporter)
        text = f"Would send {submission.description} to {slug}: {quota}."
        return text, f"{form}; nothing was sent."
    request = SubmissionRequest(
        competition.name, slug, submission, ledger, options.message, local_score, options.again
    )
    result = submit(request, reporter, options.wait)
    if not result.is_scored:
        text = f"Kaggle has not scored it yet: ref {result.entry.ref}."
        return text, f"Wrote a line to {ledger}; the same command goes on waiting."
    return describe_result(result), f"Wrote a line to {ledger}."


def _describe_quota(slug: str, reporter: Reporter) -> str:
    """Returns how many submissions are left, or why that is not known: a dry run may be offline."""
    if not credential_sources():
        return "how many submissions are left is not known without credentials"
    try:
        info = fetch_competition_info(slug, reporter)
        return str(fetch_quota(slug, info, reporter))
    except CxrError as error:
        return f"how many submissions are left is not known ({error})"


def submit(request: SubmissionRequest, reporter: Reporter, max_wait: float) -> SubmitResult:
    """Sends a submission if Kaggle does not have it yet, waits for its score, and writes both down.

    Can be killed at any moment and called again: nothing is sent twice.

    Raises:
        SubmissionError: it was submitted before, none is left, or Kaggle cannot score it.
        MissingError: the client or the credentials are missing.
        KaggleError: Kaggle refused, did not answer, or could not be reached.
    """
    slug, ledger, begun = request.slug, request.ledger, monotonic()
    entry = send_once(request, reporter, max_wait)
    left = max(0.0, max_wait - (monotonic() - begun))
    scored = wait_for_score(slug, int(entry.ref), reporter, left)
    previous = _last_scored(ledger, entry)
    if scored is None:
        return SubmitResult(entry, None, previous)
    entry = amend_entry(
        ledger, entry, status=scored.status, public_score=scored.public_score,
        private_score=scored.private_score,
    )  # fmt: skip
    if scored.status == ERROR:
        raise SubmissionError(
            f"Kaggle could not score the submission. Received: {entry.file}, ref {entry.ref} "
            f"({scored.reason or 'no reason given'}). Correct it and submit again."
        )
    try:
        rank = fetch_rank(slug, scored.team, reporter)
    except KaggleError as error:
        # The score is there and written down: a rank is not worth losing it.
        reporter.note(str(error))
        return SubmitResult(entry, None, previous)
    if rank is not None:
        entry = amend_entry(ledger, entry, rank=str(rank.rank))
    return SubmitResult(entry, rank, previous)


def _last_scored(ledger: Path, entry: LedgerEntry) -> LedgerEntry | None:
    lines = read_ledger(ledger)
    earlier = lines[: lines.index(entry)]
    scored = [
        line for line in earlier if (line.competition, line.status) == (entry.competition, COMPLETE)
    ]
    return scored[-1] if scored else None


def describe_result(result: SubmitResult) -> str:
    """Returns public score, its change since the last one, and rank as lines of text."""
    entry, rank, previous = result.entry, result.rank, result.previous
    scores = f"Public score {entry.public_score}" if entry.public_score else "No public score"
    if entry.private_score:
        scores += f", private {entry.private_score}"
    if entry.local_score:
        scores += f", out-of-fold {float(entry.local_score):.4f}"
    if previous is not None and previous.public_score and entry.public_score:
        change = float(entry.public_score) - float(previous.public_score)
        scores += f" ({change:+.5f} since {previous.time})"
    if rank is None:
        return f"{scores}\nThe team is not on the leaderboard yet"
    zone = describe_zone(rank.rank, rank.teams)
    return (
        f"{scores}\nRank {rank.rank} of {rank.teams} with the team's best, {rank.score}"
        f"{zone and f' ({zone})'}"
    )
