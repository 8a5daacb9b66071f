"""A kernel's session as its script uses it: its folders, its time, the verbs of the package."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from kagglecxr.core.deadline import Deadline
from kagglecxr.core.errors import CxrError
from kagglecxr.core.files import write_text
from kagglecxr.remote.kernels.inputs import link_weights


class Session:
    """One run of a kernel's script; as a context, it ends a user's error in one sentence.

    Args:
        mounts: /kaggle/input on Kaggle.
        scratch: a folder that Kaggle does not keep.
        hours: the time from now in which the work has to be done.
    """

    def __init__(self, mounts: Path, scratch: Path, hours: float) -> None:
        self.mounts, self.scratch = mounts, scratch
        self.deadline = Deadline.within(hours * 3600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, CxrError):
            raise SystemExit(str(error)) from None

    @property
    def work(self) -> Path:
        """The workspace, in the scratch folder: it may be large and is not needed afterwards."""
        return self.scratch / "work"

    def as_file(self, text: str, name: str) -> str:
        """Returns a preset's name as it is, and of the text of a TOML file the path of a file."""
        if "\n" not in text and "=" not in text:
            return text
        path = self.scratch / f"{name}.toml"
        write_text(path, text)
        return str(path)

    def run_verb(self, name: str, *words: object, seconds: float | None = None) -> None:
        """Runs `python -m kagglecxr.NAME` with the session's workspace.

        Keras finds the attached weights, and keeps those that it downloads in the scratch folder.

        Args:
            name: the verb.
            *words: its arguments.
            seconds: the time after which it is killed; defaults to never.

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
