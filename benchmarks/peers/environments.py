"""Environments of peers, which must not decide what is installed beside the package."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kagglecxr.core.files import digest

FOLDER = Path(".venv-peers")


@dataclass(frozen=True)
class Environment:
    """A Python with some packages; the one that runs this where there are none."""

    packages: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it is installed."""
        return FOLDER / digest(*self.packages)

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.folder / "bin" / "python" if self.packages else Path(sys.executable)

    def install(self) -> None:
        """Installs what is not installed yet.

        Raises:
            CalledProcessError: the registry does not have it.
        """
        done = self.folder / "done"
        if not self.packages or done.is_file():
            return
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(self.folder)],
            [str(self.python), "-m", "pip", "install", "--quiet", *self.packages],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True)
        done.touch()

    def versions(self) -> str:
        """Its packages with their versions, in one line."""
        if not self.packages:
            return ""
        command = [str(self.python), "-m", "pip", "freeze"]
        frozen = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        names = {canonicalize_name(Requirement(p).name) for p in self.packages if p != "."}
        lines = (line.split("==") for line in frozen.splitlines() if "==" in line)
        named = ((name, version) for name, version in lines if canonicalize_name(name) in names)
        return ", ".join(" ".join(pair) for pair in named)
