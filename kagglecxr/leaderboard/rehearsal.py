"""The rehearsal leaderboard: scores and ranks submissions on this machine, with no account."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError
from kagglecxr.core.files import file_digest
from kagglecxr.core.finding_metrics import PRESENT
from kagglecxr.core.intervals import Interval, bootstrap_interval
from kagglecxr.core.metrics import Metric
from kagglecxr.core.seeding import generator
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition
from kagglecxr.data.prepared import load_prepared
from kagglecxr.leaderboard.baselines import baseline_predictions
from kagglecxr.leaderboard.ledger import REHEARSED, LedgerEntry, add_entry, read_ledger, utc_now
from kagglecxr.leaderboard.medals import FEWEST_TEAMS, medal_ranks
from kagglecxr.leaderboard.paired_comparison import compare_with_entry
from kagglecxr.leaderboard.solution import read_solution, read_submission
from kagglecxr.leaderboard.submission import describe_form, newest_submission, validate_file
from kagglecxr.leaderboard.submit_options import SubmitOptions


@dataclass(frozen=True)
class LeaderboardRow:
    """A line of the rehearsal leaderboard."""

    rank: int
    name: str
    score: float
    is_baseline: bool


@dataclass(frozen=True)
class RehearsalResult:
    """What the rehearsal leaderboard says of a submission.

    Attributes:
        interval: the score and its bootstrap bounds.
        rank: the submission's among all rows.
        board: all rows, best first.
        errors: the ids whose most probable target is wrong, or one of whose findings is.
        images: how many were scored.
        is_new: whether the ledger has a new line; False where this very file was scored before.
        step: whether it is better than the last one, in one sentence; empty if that is not known.
    """

    metric: str
    interval: Interval
    rank: int
    board: list[LeaderboardRow]
    errors: list[str]
    images: int
    is_new: bool
    step: str


def submit_locally(
    competition: Competition,
    workspace: Workspace,
    file: Path | None,
    options: SubmitOptions,
    ledger: Path,
    seed: int,
) -> tuple[str, str]:
    """Validates a submission and, unless it is a dry run, scores it on this machine.

    The file defaults to the newest in the ledger's folder.

    Returns:
        Lines of text about score and rank, and the last line to print.

    Raises:
        SubmissionError: the file is not in the sample submission's form.
        MissingError: no such file, or no rehearsal test set.
    """
    prepared = load_prepared(competition, workspace)
    competition = prepared.competition
    file = file or newest_submission(ledger.parent, workspace)
    validate_file(file, _sample(workspace), competition)
    if options.dry_run:
        id_column, is_own = competition.submission.id, bool(competition.layout.sample)
        form = describe_form(file, _sample(workspace), id_column, is_own=is_own)
        return "", f"{form}; nothing was sent."
    result = rehearse(
        file, competition, workspace, ledger, baseline_predictions(prepared),
        time=utc_now().isoformat(), message=options.message, again=options.again, seed=seed,
    )  # fmt: skip
    written = "Wrote a line to" if result.is_new else "This file was scored before; see"
    return describe_rehearsal(result), f"{written} {ledger}."


def rehearse(
    file: Path,
    competition: Competition,
    workspace: Workspace,
    ledger: Path,
    baselines: Mapping[str, npt.NDArray[np.floating]],
    *,
    time: str,
    message: str = "",
    again: bool = False,
    seed: int = 0,
) -> RehearsalResult:
    """Validates, scores and ranks a submission, and writes it to the ledger.

    A file whose very bytes were scored before gets no second line, unless `again` is set.

    `baselines` are (n_test, n_targets) probabilities in the solution's order.

    Raises:
        SubmissionError: the file is not in the sample submission's form.
        MissingError: no such file, or no rehearsal test set.
        DataError: the images of the test set are too much alike for a score.
    """
    metric, solution = (
        competition.evaluation_metric(),
        read_solution(workspace, competition.classes),
    )
    probabilities = read_submission(file, competition, workspace, solution.ids)
    truth = solution.truth
    interval = bootstrap_interval(
        metric, truth, probabilities, solution.groups, generator(seed, "bootstrap")
    )
    if np.isnan(interval.score):
        raise DataError(
            f"The rehearsal test set has no {metric.title}: it needs images of each kind. "
            f"Received: {len(truth)} images in {workspace.solution}. Run prepare with a larger "
            "--test."
        )
    # Scores on another test set cannot be compared, so an entry says which one it was.
    part, sha256 = file_digest(workspace.solution)[:12], file_digest(file)
    entries = [
        entry
        for entry in read_ledger(ledger)
        if (entry.ref, entry.competition) == (part, competition.name)
    ]
    others = [entry for entry in entries if entry.sha256 != sha256]
    rivals = {
        f"{Path(entry.file).name}, {entry.time}": float(entry.local_score) for entry in others
    }
    board = _rank(
        metric, {name: metric(truth, given) for name, given in baselines.items()},
        rivals | {file.name: interval.score},
    )  # fmt: skip
    rank = next(row.rank for row in board if row.name == file.name)
    step = compare_with_entry(others[-1], file, competition, workspace, seed) if others else ""
    is_new = again or sha256 not in {entry.sha256 for entry in entries}
    if is_new:
        entry = LedgerEntry(
            time=time,
            competition=competition.name,
            file=str(file),
            sha256=sha256,
            message=message,
            ref=part,
            status=REHEARSED,
            rank=str(rank),
            local_score=f"{interval.score:.6f}",
        )
        add_entry(ledger, entry)
    if competition.classes.multilabel:
        decided = (probabilities >= PRESENT) != (truth == 1)
        wrong = np.flatnonzero((decided & ~np.isnan(truth)).any(axis=1))
    else:
        wrong = np.flatnonzero(probabilities.argmax(axis=1) != truth)
    errors = [solution.ids[row] for row in wrong]
    return RehearsalResult(metric.name, interval, rank, board, errors, len(truth), is_new, step)


def _sample(workspace: Workspace) -> Path:
    return workspace.require(workspace.sample_submission, "prepare")


def _rank(
    metric: Metric, baselines: dict[str, float], submissions: dict[str, float]
) -> list[LeaderboardRow]:
    """Returns all rows, best first; equal scores share the better rank."""
    # Scores are compared as the ledger stores them: to six digits.
    scores = {name: round(score, 6) for name, score in (baselines | submissions).items()}
    ordered = sorted(scores.values(), reverse=metric.greater_is_better)
    rows = [
        LeaderboardRow(1 + ordered.index(score), name, score, name not in submissions)
        for name, score in scores.items()
    ]
    return sorted(rows, key=lambda row: row.rank)


def describe_rehearsal(result: RehearsalResult) -> str:
    """Returns score, rank and leaderboard as lines of text."""
    width = max(len(row.name) for row in result.board)
    lines = [
        f"{result.metric}: {result.interval} on {result.images} images, "
        f"{len(result.errors)} errors",
        f"Rank {result.rank} of {len(result.board)} on the rehearsal leaderboard:",
    ]
    board = []
    for row in result.board:
        kind = "  baseline" if row.is_baseline else ""
        board.append(f"  {row.rank:>2}  {row.name:<{width}}  {row.score:.4f}{kind}")
    if len(board) >= FEWEST_TEAMS:
        ranks = medal_ranks(len(board))
        # From below, so that a line moves none of those above it.
        for medal, last in reversed(asdict(ranks).items()):
            end = sum(row.rank <= last for row in result.board)
            board.insert(end, f"  --  {medal} medals end here")
    step = [f"Since the last submission: {result.step}"] if result.step else []
    return "\n".join([*lines, *board, *step])
