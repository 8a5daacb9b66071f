"""What can be submitted: a file, or the version of a kernel that writes one."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.files import file_digest, read_json
from kagglecxr.core.workspace import Workspace


class Submission(Protocol):
    """Something that can be submitted."""

    @property
    def name(self) -> str:
        """As the ledger calls it."""

    @property
    def sha256(self) -> str:
        """What tells it from any other."""

    @property
    def described(self) -> str:
        """What it is, to be read before it is sent."""

    def send(self, api: Any, competition: str, description: str) -> Any:
        """Hands it to the client; the answer has `message` and `ref`."""


@dataclass(frozen=True)
class FileSubmission:
    """A CSV on this machine."""

    path: Path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.path)

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return file_digest(self.path)

    @property
    def described(self) -> str:
        """Path, lines and bytes."""
        content = self.path.read_bytes()
        lines = content.count(b"\n")
        return f"{self.path} ({lines:,} lines, {len(content):,} bytes)"

    def send(self, api: Any, competition: str, description: str) -> Any:
        """Uploads it."""
        return api.competition_submit(str(self.path), description, competition, quiet=True)


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
        """A digest of the name: what the file holds is not known here."""
        return hashlib.sha256(f"kernel {self.name}".encode()).hexdigest()

    @property
    def described(self) -> str:
        """The same in words."""
        return f"{self.file} of version {self.version} of the kernel {self.kernel}"

    def send(self, api: Any, competition: str, description: str) -> Any:
        """Has it run on the hidden test part."""
        return api.competition_submit_code(
            self.file, description, competition, self.kernel, self.version, quiet=True
        )


def find_sample(workspace: Workspace, named: str) -> Path:
    """The competition's sample submission: as `prepare` wrote it, or among the data.

    Args:
        workspace: the competition's.
        named: its path below the data, where the competition's TOML tells it.

    Raises:
        MissingError: there is none, or there are several.
    """
    if workspace.sample_submission.is_file():
        return workspace.sample_submission
    if named and (workspace.raw / named).is_file():
        return workspace.raw / named
    found = sorted(
        path for path in workspace.raw.rglob("*.csv") if "sample" in path.stem.lower()
        and "submission" in path.stem.lower()
    )  # fmt: skip
    if len(found) != 1:
        what = "several sample submissions" if found else "no sample submission"
        raise MissingError(
            f"There is {what} to check against. Looked in: {workspace.root}. Run: python -m "
            f"kagglecxr.download {workspace.competition}, and name it under [layout] sample if "
            "there are several."
        )
    return found[0]


def out_of_fold_score(workspace: Workspace, file: Path) -> str:
    """The out-of-fold score of the blend that wrote a submission; empty where it is not known."""
    for path in sorted(workspace.ensembles.glob("*/blend.json")):
        blend = read_json(path)
        if Path(blend["submission"]).name == file.name and blend["out_of_fold"] is not None:
            return f"{blend['out_of_fold']:.6f}"
    return ""
