"""The rehearsal leaderboard: a whole competition on this machine, with no account."""

import dataclasses
import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from kagglecxr.core.errors import MissingError, SubmissionError
from kagglecxr.core.files import file_digest, read_table
from kagglecxr.core.metrics import Interval, bootstrap_interval
from kagglecxr.core.rules import ScoringSpec
from kagglecxr.core.seeding import generator
from kagglecxr.core.workspace import Workspace
from kagglecxr.leaderboard.ledger import LedgerEntry, add_entry, find_entry, read_ledger

REHEARSED = "rehearsal"
"""The ledger's status of a file scored on this machine."""


@dataclass(frozen=True)
class LeaderboardRow:
    """A line of the rehearsal leaderboard."""

    rank: int
    name: str
    score: float
    is_baseline: bool


@dataclass(frozen=True)
class RehearsalResult:
    """What the rehearsal says of a submission.

    Attributes:
        interval: the score and its bootstrap bounds.
        rank: its place among all entries.
        board: all of them, best first.
        errors: the ids whose most probable target is wrong.
        images: how many were scored.
        is_new: whether the ledger got a line, or this very file was scored before.
    """

    interval: Interval
    rank: int
    board: list[LeaderboardRow]
    errors: list[str]
    images: int
    is_new: bool


def newest_submission(folder: Path, competition: str) -> Path:
    """The submission of a competition that was written last.

    `covid19-radiography-covid-RUN.csv` is one of another competition than `covid19-radiography`:
    the names of runs and blends hold one hyphen at most.

    Raises:
        MissingError: there is none.
    """
    own = [
        path
        for path in folder.glob(f"{glob.escape(competition)}-*.csv")
        if path.stem.removeprefix(f"{competition}-").count("-") <= 1
    ]
    files = sorted(own, key=lambda path: (path.stat().st_mtime, path.name))
    if not files:
        raise MissingError(
            f"There is no submission of {competition}. Looked in: {folder}. "
            f"Run: python -m kagglecxr.ensemble {competition}"
        )
    return files[-1]


def check_file(file: Path, rules: ScoringSpec, workspace: Workspace) -> pd.DataFrame:
    """The submission's cells, typed and in the sample's order, if it is in perfect form.

    Raises:
        SubmissionError: it is not; the sentence says where.
        MissingError: no such file, or no sample submission.
    """
    if not file.is_file():
        raise MissingError(
            f"The submission file is not there. Received: {file}. Run ensemble, or name another."
        )
    sample = read_table(workspace.require(workspace.sample_submission, "prepare"))
    return rules.form.check(read_submission(file), sample, rules.targets)


def read_submission(file: Path) -> pd.DataFrame:
    """A submission's cells as text.

    Raises:
        SubmissionError: it is no CSV.
    """
    try:
        return read_table(file)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SubmissionError(
            f"The submission is not a CSV. Received: {file} ({reason}). Write the columns of the "
            "sample submission."
        ) from error


def describe_rehearsal(verdict: RehearsalResult, rules: ScoringSpec) -> str:
    """The verdict as lines to read: score, rank, leaderboard."""
    width = max(len(line.name) for line in verdict.board)
    lines = [
        f"{rules.metric.name}: {verdict.interval} on {verdict.images} images, "
        f"{len(verdict.errors)} errors",
        f"Rank {verdict.rank} of {len(verdict.board)} on the rehearsal leaderboard:",
    ]
    for line in verdict.board:
        kind = "  reference" if line.is_baseline else ""
        lines.append(f"  {line.rank:>2}  {line.name:<{width}}  {line.score:.4f}{kind}")
    return "\n".join(lines)


def read_solution(workspace: Workspace) -> pd.DataFrame:
    """The rehearsal test part's `id,label,group`, which nothing but a leaderboard may read.

    Raises:
        MissingError: the competition has no rehearsal test part.
    """
    if not workspace.solution.is_file():
        raise MissingError(
            f"There is no rehearsal test part to score against. Looked for: {workspace.solution}. "
            f"Run: python -m kagglecxr.prepare {workspace.competition} --test 0.2"
        )
    return read_table(workspace.solution)


def rehearse(
    file: Path,
    rules: ScoringSpec,
    workspace: Workspace,
    ledger: Path,
    references: Mapping[str, npt.NDArray[np.floating]],
    *,
    time: str,
    message: str = "",
    again: bool = False,
    seed: int = 0,
) -> RehearsalResult:
    """Checks, scores and ranks a submission, and writes it into the ledger.

    A file whose very bytes were scored before is scored the same without a second line, unless
    asked `again`.

    Args:
        file: the submission's CSV.
        rules: what it is scored by.
        workspace: where solution and sample submission lie.
        ledger: the ledger's CSV.
        references: probabilities of reference entries for the test images in the solution's order.
        time: now, as the ledger shall say it.
        message: the submitter's.
        again: write a line though the file was scored before.
        seed: of the bootstrap.

    Raises:
        SubmissionError: the file is not in the sample submission's form.
        MissingError: no such file, or no rehearsal test part.
    """
    solution = read_solution(workspace)
    submitted = check_file(file, rules, workspace)
    answers = rules.form.probabilities(submitted, rules.targets)
    row = {name: i for i, name in enumerate(submitted[rules.form.id])}
    answers = answers[[row[name] for name in solution["id"]]]
    truth = np.array([rules.targets.index(label) for label in solution["label"]], np.intp)
    groups = solution["group"].to_numpy(dtype=object)
    interval = bootstrap_interval(
        rules.metric, truth, answers, groups, generator(seed, "bootstrap")
    )
    entries = read_ledger(ledger)
    sha256 = file_digest(file)
    scores = {name: (rules.metric(truth, given), True) for name, given in references.items()}
    # Scores on another test part cannot be compared, so a line says which one it was.
    part = file_digest(workspace.solution)[:12]
    rivals = [entry for entry in entries if entry.ref == part and entry.sha256 != sha256]
    board = _board(file.name, interval.score, scores, rivals, rules)
    rank = next(line.rank for line in board if line.name == file.name)
    is_new = again or find_entry(entries, rules.competition, sha256, part) is None
    if is_new:
        entry = LedgerEntry(
            time=time,
            competition=rules.competition,
            file=str(file),
            sha256=sha256,
            message=message,
            ref=part,
            status=REHEARSED,
            rank=str(rank),
            local_score=_kept(interval.score),
        )
        add_entry(ledger, entry)
    wrong = answers.argmax(axis=1) != truth
    return RehearsalResult(interval, rank, board, list(solution["id"][wrong]), len(truth), is_new)


def _kept(score: float) -> str:
    return f"{score:.6f}"


def _board(
    name: str,
    score: float,
    references: dict[str, tuple[float, bool]],
    rivals: list[LedgerEntry],
    rules: ScoringSpec,
) -> list[LeaderboardRow]:
    """All entries ranked; an earlier file of the same name but other bytes is told by its time.

    Scores are compared as the ledger keeps them.
    """
    scores = {key: (float(_kept(value)), known) for key, (value, known) in references.items()}
    for entry in rivals:
        if entry.competition == rules.competition:
            scores[f"{Path(entry.file).name}, {entry.time}"] = (float(entry.local_score), False)
    scores[name] = (float(_kept(score)), False)
    sign = -1.0 if rules.metric.greater_is_better else 1.0
    ordered = sorted(scores.items(), key=lambda item: sign * item[1][0])
    lines = [LeaderboardRow(i, name, *values) for i, (name, values) in enumerate(ordered, start=1)]
    # Equal scores share the better rank.
    first_rank = {line.score: line.rank for line in reversed(lines)}
    return [dataclasses.replace(line, rank=first_rank[line.score]) for line in lines]
