"""Brings a submission to a leaderboard: checked first, then scored here or sent to Kaggle."""

from dataclasses import dataclass
from pathlib import Path

from kagglecxr.core.errors import CxrError, MissingError
from kagglecxr.core.submission_format import validate_like_sample
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.prepare import load_prepared
from kagglecxr.leaderboard import rehearsal
from kagglecxr.leaderboard.baselines import baseline_predictions
from kagglecxr.leaderboard.kaggle import SubmissionRequest, SubmitContext, describe_result, submit
from kagglecxr.leaderboard.quota import fetch_competition_info, fetch_quota
from kagglecxr.leaderboard.submission import (
    FileSubmission,
    KernelSubmission,
    find_sample,
    out_of_fold_score,
)
from kagglecxr.leaderboard.submit_options import SubmitOptions
from kagglecxr.remote.credentials import credential_sources

_CHECKED = "{} is in perfect form; nothing was sent."


@dataclass(frozen=True)
class SubmitReport:
    """What a verb says of a submission.

    Attributes:
        told: lines to read.
        end: the last line, before what comes next.
    """

    told: str
    end: str


def enter_rehearsal(
    competition: Competition,
    workspace: Workspace,
    file: Path | None,
    wish: SubmitOptions,
    around: SubmitContext,
    seed: int,
) -> SubmitReport:
    """Checks a file and, unless a check is all that was wanted, scores it on this machine.

    Args:
        competition: as it was prepared.
        workspace: with its rehearsal test part.
        file: the submission; the newest beside the ledger if None.
        wish: what else was asked for.
        around: ledger, clock.
        seed: of the bootstrap.

    Raises:
        SubmissionError: the file is not in the sample submission's form.
        MissingError: no such file, or no rehearsal test part.
    """
    prepared = load_prepared(competition, workspace)
    rules = prepared.competition.rules()
    file = file or rehearsal.newest_submission(around.ledger.parent, competition.name)
    rehearsal.check_file(file, rules, workspace)
    if wish.dry_run:
        return SubmitReport("", _CHECKED.format(file))
    verdict = rehearsal.rehearse(
        file, rules, workspace, around.ledger, baseline_predictions(prepared),
        time=around.now().isoformat(timespec="seconds"),
        message=wish.message, again=wish.again, seed=seed,
    )  # fmt: skip
    written = "Wrote a line to" if verdict.is_new else "This file was scored before; see"
    return SubmitReport(rehearsal.describe_rehearsal(verdict, rules), f"{written} {around.ledger}.")


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
        told = f"Would send {order.parcel.described} to {order.slug}: {_left(order.slug, around)}."
        return SubmitReport(told, _CHECKED.format(order.parcel.name))
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
    file = file or rehearsal.newest_submission(folder, name)
    _check_form(competition, workspace, file)
    score = out_of_fold_score(workspace, file)
    return SubmissionRequest(name, slug, FileSubmission(file), wish.message, score, wish.again)


def _check_form(competition: Competition, workspace: Workspace, file: Path) -> None:
    if not file.is_file():
        raise MissingError(
            f"The submission file is not there. Received: {file}. Run ensemble, or name another."
        )
    sample = rehearsal.read_submission(find_sample(workspace, competition.layout.sample))
    submitted = rehearsal.read_submission(file)
    if workspace.prepared.is_file():
        rules = load_prepared(competition, workspace).competition.rules()
    elif competition.classes.names:
        rules = competition.rules()
    else:
        validate_like_sample(submitted, sample)
        return
    rules.form.check(submitted, sample, rules.targets)


def _left(slug: str, around: SubmitContext) -> str:
    """How many submissions are left, or why that is not known: a check needs no account."""
    if not credential_sources():
        return "how many submissions are left is not known without credentials"
    try:
        terms = fetch_competition_info(slug, around.reporter, around.patience)
        return str(fetch_quota(slug, terms, around.now(), around.reporter, around.patience))
    except CxrError as error:
        return f"how many submissions are left is not known ({error})"
