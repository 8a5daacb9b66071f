"""Starts a trial's process and sees how it ends."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from kagglecxr.training.search.job import OUTCOME, Job, Outcome, read_outcome

LOG = "log.txt"


class Process(Protocol):
    """A trial that is being trained."""

    def outcome(self) -> Outcome | None:
        """How it ended; None while it runs."""

    def stop(self) -> None:
        """Ends it at once; what it kept of its last epoch stays."""


class TrialProcess:
    """A trial in a process of its own; what it prints goes to log.txt in its folder.

    Args:
        job: the trial.
    """

    def __init__(self, job: Job) -> None:
        self._folder = Path(job.folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / OUTCOME).unlink(missing_ok=True)
        with (self._folder / LOG).open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kagglecxr.training.search.trial"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                # Ctrl-C is for the search, which then closes the pipe.
                start_new_session=True,
            )
        if self._process.stdin:
            self._process.stdin.write(job.as_line().encode())
            self._process.stdin.flush()

    def outcome(self) -> Outcome | None:
        """How it ended; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        self._close()
        told = read_outcome(self._folder)
        return told or Outcome("failed", error=_died(status, self._folder / LOG))

    def stop(self) -> None:
        """Ends it at once; what it kept of its last epoch stays."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()


def _died(status: int, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return (
        f"its process died with status {status} ({lines[-1] if lines else 'silently'}); see {log}"
    )
