"""What can be submitted: a CSV file, or the version of a kernel that writes one."""

import glob
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kagglecxr.core.errors import MissingError, SettingError, SubmissionError
from kagglecxr.core.files import read_json, read_table
from kagglecxr.core.submission_table import validate_like_sample
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition


@dataclass(frozen=True)
class Submission:
    """What can be submitted to Kaggle.

    Attributes:
        name: its name in the ledger.
        sha256: its identity; what has the same was submitted before.
        description: what it is, in words.
        is_kernel: whether a kernel writes it.
        send: submits it with a `KaggleApi` to a slug with a message; returns `message` and `ref`.
    """

    name: str
    sha256: str
    description: str
    is_kernel: bool
    send: Callable[[Any, str, str], Any]


def file_submission(path: Path) -> Submission:
    """Returns a CSV file on this machine as a submission."""
    content = path.read_bytes()
    lines = content.count(b"\n")
    return Submission(
        str(path),
        hashlib.sha256(content).hexdigest(),
        f"{path} ({lines:,} lines, {len(content):,} bytes)",
        False,
        lambda api, slug, message: api.competition_submit(str(path), message, slug, quiet=True),
    )


def kernel_submission(kernel: str, version: int, file: str = "submission.csv") -> Submission:
    """Returns a file that a version of a kernel writes, for code competitions, as a submission.

    Raises:
        SettingError: the kernel is not `owner/slug`, or there is no such version.
    """
    if not re.fullmatch(r"[\w-]+/[\w-]+", kernel) or version < 1:
        raise SettingError(
            f"A kernel is named by owner, slug and version. Received: {kernel!r}, version "
            f"{version}. Use --kernel OWNER/SLUG --version N, as its page says."
        )
    name = f"{kernel}/{version}/{file}"
    return Submission(
        name,
        # What the file holds is not known here.
        hashlib.sha256(f"kernel {name}".encode()).hexdigest(),
        f"{file} of version {version} of the kernel {kernel}",
        True,
        lambda api, slug, message: api.competition_submit_code(
            file, message, slug, kernel, version, quiet=True
        ),
    )


def newest_submission(folder: Path, workspace: Workspace) -> Path:
    """Returns the submission of a competition that was written last.

    `covid19-radiography-covid-RUN.csv` is one of another competition than `covid19-radiography`:
    the names of runs and blends hold one hyphen at most.

    Raises:
        MissingError: there is none.
    """
    competition = workspace.competition
    own = [
        path
        for path in folder.glob(f"{glob.escape(competition)}-*.csv")
        if path.stem.removeprefix(f"{competition}-").count("-") <= 1
    ]
    if not own:
        raise MissingError(
            f"There is no submission of {competition}. Looked in: {folder}. "
            f"Run: {workspace.command('ensemble')}"
        )
    return max(own, key=lambda path: (path.stat().st_mtime, path.name))


def find_sample(workspace: Workspace, path: str) -> Path:
    """Returns the competition's sample submission: as `prepare` wrote it, or among the data.

    `path` is where it is below the data, if the competition's TOML names it.

    Raises:
        MissingError: there is none, or there are several.
    """
    if workspace.sample_submission.is_file():
        return workspace.sample_submission
    if path and (workspace.raw / path).is_file():
        return workspace.raw / path
    found = [
        file
        for file in workspace.raw.rglob("*.csv")
        if "sample" in file.stem.lower() and "submission" in file.stem.lower()
    ]
    if len(found) != 1:
        what = "several sample submissions" if found else "no sample submission"
        raise MissingError(
            f"There is {what} to check against. Looked in: {workspace.root}. Name it under "
            f"[layout] sample if there are several, or run: {workspace.command('download')}"
        )
    return found[0]


def validate_file(file: Path, sample: Path, competition: Competition) -> pd.DataFrame:
    """Returns a submission's cells in the sample's order, typed where the classes are known.

    Raises:
        SubmissionError: it is not in the sample's form; the sentence says where.
        MissingError: there is no such file.
    """
    if not file.is_file():
        raise MissingError(
            f"The submission file is not there. Received: {file}. Run ensemble, or name another."
        )
    submission, expected = _read(file), _read(sample)
    if competition.classes.names:
        submission_format = competition.submission.for_targets(competition.targets())
        return submission_format.validate(submission, expected)
    validate_like_sample(submission, expected)
    return submission


def describe_form(file: Path, sample: Path, id_column: str, *, is_own: bool) -> str:
    """Says how a valid submission's form compares with the sample's, for `--dry-run`.

    It is perfect only if columns, ids, their order, types and ranges of values are those of the
    competition's own sample submission; that of a rehearsal is made by `prepare`.
    """
    if not is_own:
        return f"{file} can be scored by the rehearsal; [layout] names no sample of the competition"
    differences = _differences(_read(file), _read(sample), id_column)
    if not differences:
        return f"{file} is in perfect form"
    return f"{file} has the columns and ids of {sample}, but {'; '.join(differences)}"


def _differences(submission: pd.DataFrame, sample: pd.DataFrame, id_column: str) -> list[str]:
    found = []
    for column in sample.columns:
        given, wanted = sample[column][sample[column] != ""], submission[column]
        if column == id_column:
            if list(wanted) != list(sample[column]):
                found.append("its lines are in another order")
            continue
        if given.empty:
            continue
        numbers = pd.to_numeric(given, errors="coerce")
        own = pd.to_numeric(wanted, errors="coerce")
        if numbers.isna().any() != own.isna().any():
            found.append(f"{column} is {wanted.iloc[0]!r} where the sample has {given.iloc[0]!r}")
        elif own.notna().all() and own.abs().max() > 1.0 and _are_shares(numbers):
            found.append(f"{column} goes up to {own.abs().max():g}, in the sample from 0 to 1")
    return found


def _are_shares(numbers: "pd.Series[float]") -> bool:
    """Whether numbers lie from 0 to 1; a single whole number everywhere says nothing of a range."""
    says_something = numbers.nunique() > 1 or bool((numbers % 1 != 0).any())
    return says_something and bool(numbers.between(0.0, 1.0).all())


def _read(file: Path) -> pd.DataFrame:
    try:
        return read_table(file)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SubmissionError(
            f"The submission is not a CSV. Received: {file} ({reason}). Write the columns of the "
            "sample submission."
        ) from error


def out_of_fold_score(workspace: Workspace, file: Path) -> str:
    """Returns the out-of-fold score of the blend that wrote a submission; empty if unknown."""
    for path in sorted(workspace.ensembles.glob("*/blend.json")):
        blend = read_json(path)
        if Path(blend["submission"]).name == file.name and blend["out_of_fold"] is not None:
            return f"{blend['out_of_fold']:.6f}"
    return ""
