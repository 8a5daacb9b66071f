"""A kernel's session as its script sees it: its folders, its time, the verbs of the kit."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from kagglecxr.core.errors import CxrError
from kagglecxr.core.files import write_text
from kagglecxr.remote.kernels.inputs import link_weights


@dataclass(frozen=True)
class Session:
    """One run of a kernel's script.

    Attributes:
        mounts: /kaggle/input on Kaggle.
        scratch: a folder that is not kept.
        hours: from now, until its work has to be done.
        clock: counts seconds.
    """

    mounts: Path
    scratch: Path
    hours: float
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_began", self.clock())

    @property
    def work(self) -> Path:
        """The workspace: it may be large, or of no use at home, and so is not kept."""
        return self.scratch / "work"

    def seconds_left(self) -> float:
        """Until its work has to be done."""
        return self.hours * 3600 - (self.clock() - self._began)

    def as_file(self, text: str, name: str) -> str:
        """The name of a preset as it is; the text of a TOML file as the path of one."""
        if "\n" not in text and "=" not in text:
            return text
        path = self.scratch / f"{name}.toml"
        write_text(path, text)
        return str(path)

    def verb(self, name: str, *words: object, seconds: float | None = None) -> None:
        """Runs `python -m kagglecxr.NAME`, as one does at home.

        Keras finds the weights that are attached, and keeps those that it fetches in the scratch.

        Args:
            name: of the verb.
            *words: its arguments.
            seconds: after which it is killed.

        Raises:
            SystemExit: it failed, and has said why.
            TimeoutExpired: it was killed.
        """
        keras_home = self.scratch / "keras"
        link_weights(self.mounts, keras_home)
        done = subprocess.run(
            [sys.executable, "-m", f"kagglecxr.{name}", *map(str, words), "--work", str(self.work)],
            env={**os.environ, "KERAS_HOME": str(keras_home)},
            cwd=self.scratch,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.returncode)


def end_in_one_sentence() -> None:
    """Has the script say of a user's mistake what the verbs do: what is wrong, what to do."""
    sys.excepthook = _tell


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, CxrError):
        sys.stderr.write(f"{error}\n")
    else:
        sys.__excepthook__(kind, error, trace)
