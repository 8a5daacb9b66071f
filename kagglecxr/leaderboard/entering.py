"""Submits to Kaggle: validated first, then sent and scored."""

from pathlib import Path

from kagglecxr.core.errors import CxrError
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.prepare import load_prepared
from kagglecxr.leaderboard.kaggle import SubmissionRequest, SubmitContext, describe_result, submit
from kagglecxr.leaderboard.quota import fetch_competition_info, fetch_quota
from kagglecxr.leaderboard.submission import (
    NOTHING_SENT,
    FileSubmission,
    KernelSubmission,
    SubmitReport,
    find_sample,
    newest_submission,
    out_of_fold_score,
    validate_file,
)
from kagglecxr.leaderboard.submit_options import SubmitOptions
from kagglecxr.remote.credentials import credential_sources


def enter_kaggle(
    competition: Competition,
    workspace: Workspace,
    file: Path | None,
    wish: SubmitOptions,
    around: SubmitContext,
) -> SubmitReport:
    """Checks a submission and, unless a check is all that was wanted, has Kaggle score it.

    Args:
        competition: its form is known as far as its TOML or its prepared data tell it.
        workspace: where the sample submission lies, or the data with one.
        file: the submission, the newest beside the ledger if None; or the name of the one that a
            kernel writes, submission.csv if None.
        wish: what else was asked for.
        around: ledger, clock, reporter.

    Raises:
        SubmissionError: the file is not in the sample submission's form, was scored before, has no
            room, or cannot be scored.
        MissingError: no such file, no sample submission, no client or no credentials.
        KaggleError: Kaggle refused, fell silent, or could not be reached.
    """
    order = _order(competition, workspace, file, wish, around.ledger.parent)
    if wish.dry_run:
        told = (
            f"Would send {order.parcel.description} to {order.slug}: {_left(order.slug, around)}."
        )
        return SubmitReport(told, NOTHING_SENT.format(order.parcel.name))
    outcome = submit(order, around)
    if not outcome.is_scored:
        return SubmitReport(
            f"Kaggle has not scored it yet: ref {outcome.entry.ref}.",
            f"Wrote a line to {around.ledger}; the same command goes on waiting.",
        )
    return SubmitReport(describe_result(outcome), f"Wrote a line to {around.ledger}.")


def _order(
    competition: Competition,
    workspace: Workspace,
    file: Path | None,
    wish: SubmitOptions,
    folder: Path,
) -> SubmissionRequest:
    name, slug = competition.name, competition.source.slug
    if wish.kernel is not None:
        kernel = KernelSubmission(wish.kernel, wish.version or 0, str(file or "submission.csv"))
        return SubmissionRequest(name, slug, kernel, wish.message, again=wish.again)
    file = file or newest_submission(folder, name)
    if workspace.prepared.is_file():
        competition = load_prepared(competition, workspace).competition
    validate_file(file, find_sample(workspace, competition.layout.sample), competition)
    score = out_of_fold_score(workspace, file)
    return SubmissionRequest(name, slug, FileSubmission(file), wish.message, score, wish.again)


def _left(slug: str, around: SubmitContext) -> str:
    """How many submissions are left, or why that is not known: a check needs no account."""
    if not credential_sources():
        return "how many submissions are left is not known without credentials"
    try:
        terms = fetch_competition_info(slug, around.reporter, around.patience)
        return str(fetch_quota(slug, terms, around.now(), around.reporter, around.patience))
    except CxrError as error:
        return f"how many submissions are left is not known ({error})"
