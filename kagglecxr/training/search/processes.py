"""Starts a trial's process and sees how it ends."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Protocol

from kagglecxr.training.search.job import OUTCOME, Job, Outcome, read_outcome

LOG = "log.txt"


class Process(Protocol):
    """A trial that is being trained."""

    def outcome(self) -> Outcome | None:
        """How it ended; None while it runs."""

    def stop(self) -> None:
        """Ends it at once; what it kept of its last epoch stays."""


class Waiting:
    """A process that imports Keras, which takes seconds, and then waits for its trial."""

    def __init__(self) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 the process writes to it while it lives
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kagglecxr.training.search.trial"],
            stdin=subprocess.PIPE,
            stdout=self.said,
            stderr=self.said,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            # Ctrl-C is for the search, which then closes the pipe.
            start_new_session=True,
        )

    def status(self) -> int | None:
        """What it ended with; None while it lives."""
        return self._process.poll()

    def tell(self, job: Job) -> None:
        """Hands over the trial; one that has died meanwhile is seen by its status."""
        if self._process.stdin:
            try:
                self._process.stdin.write(job.as_line().encode())
                self._process.stdin.flush()
            except BrokenPipeError:
                self._process.wait()

    def end(self) -> None:
        """Ends it at once, if it lives, and lets go of what belongs to it."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            # What a dead process left unread in the pipe would be written again.
            self._process.stdin.raw.close()  # type: ignore[attr-defined]
        self.said.close()


class TrialProcess:
    """A trial in a process of its own; what it prints goes to log.txt in its folder.

    Args:
        job: the trial.
        waiting: the process; a new one where None.
    """

    def __init__(self, job: Job, waiting: Waiting | None = None) -> None:
        self._folder = Path(job.folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / OUTCOME).unlink(missing_ok=True)
        self._process = waiting or Waiting()
        self._process.tell(job)

    def outcome(self) -> Outcome | None:
        """How it ended; None while it runs."""
        status = self._process.status()
        if status is None:
            return None
        self._keep_log()
        self._process.end()
        told = read_outcome(self._folder)
        return told or Outcome("died", error=_died(status, self._folder / LOG))

    def stop(self) -> None:
        """Ends it at once; what it kept of its last epoch stays."""
        self._process.end()

    def _keep_log(self) -> None:
        self._process.said.seek(0)
        with (self._folder / LOG).open("ab") as log:
            log.write(self._process.said.read())


class SpareProcess:
    """Starts trials in processes of their own, and each next one while the one before trains.

    It holds one process more than trains, some 700 MB, until it is left as a context.
    """

    def __init__(self) -> None:
        self._spare: Waiting | None = None

    def __enter__(self) -> "SpareProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._spare:
            self._spare.end()

    def __call__(self, job: Job) -> TrialProcess:
        """A trial's process."""
        spare, self._spare = self._spare, None
        if spare and spare.status() is not None:
            spare.end()
            spare = None
        trial = TrialProcess(job, spare)
        self._spare = Waiting()
        return trial


def _died(status: int, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return (
        f"its process died with status {status} ({lines[-1] if lines else 'silently'}); see {log}"
    )
