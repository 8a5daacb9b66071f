"""What can be submitted: a CSV file, or the version of a kernel that writes one."""

import glob
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from kagglecxr.core.errors import MissingError, SettingError, SubmissionError
from kagglecxr.core.files import file_digest, read_json, read_table
from kagglecxr.core.submission_format import validate_like_sample
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.competition import Competition

NOTHING_SENT = "{} is in perfect form; nothing was sent."


@dataclass(frozen=True)
class SubmitReport:
    """What the verb `submit` prints.

    Attributes:
        text: lines about score and rank.
        summary: the last line.
    """

    text: str
    summary: str


class Submission(Protocol):
    """Something that can be submitted to Kaggle."""

    @property
    def name(self) -> str:
        """Its name in the ledger."""

    @property
    def sha256(self) -> str:
        """Its identity: an equal digest means that it was submitted before."""

    @property
    def description(self) -> str:
        """What it is, in words."""

    def send(self, api: Any, slug: str, message: str) -> Any:
        """Submits it with the Kaggle client; the response has `message` and `ref`."""


@dataclass(frozen=True)
class FileSubmission:
    """A CSV file on this machine."""

    path: Path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.path)

    @property
    def sha256(self) -> str:
        """The digest of its bytes."""
        return file_digest(self.path)

    @property
    def description(self) -> str:
        """Path, lines and bytes."""
        content = self.path.read_bytes()
        lines = content.count(b"\n")
        return f"{self.path} ({lines:,} lines, {len(content):,} bytes)"

    def send(self, api: Any, slug: str, message: str) -> Any:
        """Uploads and submits it."""
        return api.competition_submit(str(self.path), message, slug, quiet=True)


@dataclass(frozen=True)
class KernelSubmission:
    """A file that a version of a kernel writes, for code competitions.

    Attributes:
        kernel: `owner/slug`.
        version: its number.
        file: the file's name in the kernel's output.
    """

    kernel: str
    version: int
    file: str = "submission.csv"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w-]+/[\w-]+", self.kernel) or self.version < 1:
            raise SettingError(
                f"A kernel is named by owner, slug and version. Received: {self.kernel!r}, version "
                f"{self.version}. Use --kernel OWNER/SLUG --version N, as its page says."
            )

    @property
    def name(self) -> str:
        """Kernel, version and file."""
        return f"{self.kernel}/{self.version}/{self.file}"

    @property
    def sha256(self) -> str:
        """The digest of the name: the file's content is not known here."""
        return hashlib.sha256(f"kernel {self.name}".encode()).hexdigest()

    @property
    def description(self) -> str:
        """The same in words."""
        return f"{self.file} of version {self.version} of the kernel {self.kernel}"

    def send(self, api: Any, slug: str, message: str) -> Any:
        """Has Kaggle run it on the hidden test part."""
        return api.competition_submit_code(
            self.file, message, slug, self.kernel, self.version, quiet=True
        )


def newest_submission(folder: Path, competition: str) -> Path:
    """Returns the submission of a competition that was written last.

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
    if not own:
        raise MissingError(
            f"There is no submission of {competition}. Looked in: {folder}. "
            f"Run: python -m kagglecxr.ensemble {competition}"
        )
    return max(own, key=lambda path: (path.stat().st_mtime, path.name))


def find_sample(workspace: Workspace, path: str) -> Path:
    """Returns the competition's sample submission: as `prepare` wrote it, or among the data.

    Args:
        workspace: the competition's.
        path: where it is below the data, if the competition's TOML names it.

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
            f"There is {what} to check against. Looked in: {workspace.root}. Run: python -m "
            f"kagglecxr.download {workspace.competition}, and name it under [layout] sample if "
            "there are several."
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
        return competition.submission.validate(submission, expected, competition.targets())
    validate_like_sample(submission, expected)
    return submission


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
