"""What is sent to a leaderboard: a file, or the version of a kernel that writes one."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kagglecxr.core.errors import SettingError
from kagglecxr.core.files import file_digest


class Parcel(Protocol):
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
class FileParcel:
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
class KernelParcel:
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
