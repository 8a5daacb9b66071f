"""Runs a trial in a subprocess: what it is given, how it is started, and how it ended."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol

from kagglecxr.core.files import read_json, write_json

RESULT_FILE = "outcome.json"


@dataclass(frozen=True)
class TrialSpec:
    """One trial.

    Attributes:
        competition: as on the command line.
        work: the workspace's folder.
        study: the study's name.
        storage: where the study is kept.
        number: the trial's.
        recipe: to train.
        folder: the trial's; the same for the same recipe, so that a killed one is taken up.
        folds: how many to train.
        seed: of the whole search.
        cache: the key of the images, where they are prepared otherwise than the workspace's.
    """

    competition: str
    work: str
    study: str
    storage: str
    number: int
    recipe: dict[str, Any]
    folder: str
    folds: int
    seed: int
    cache: str = ""

    def as_line(self) -> str:
        """One line of JSON."""
        return json.dumps(dataclasses.asdict(self)) + "\n"

    @classmethod
    def of_line(cls, line: str) -> "TrialSpec":
        """What `as_line` wrote."""
        return cls(**json.loads(line))


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended.

    Attributes:
        state: finished, pruned, failed, or died where its process ended without a word, as one does
            that the operating system kills for want of memory.
        score: the competition's metric, mean of the folds; None unless finished.
        error: a sentence; empty unless failed or died.
    """

    state: Literal["finished", "pruned", "failed", "died"]
    score: float | None = None
    error: str = ""

    def write(self, folder: Path) -> None:
        """Leaves it for the process that waits."""
        write_json(folder / RESULT_FILE, dataclasses.asdict(self))


def read_result(folder: Path) -> TrialResult | None:
    """What a trial's process left; None if it died before."""
    path = folder / RESULT_FILE
    return TrialResult(**read_json(path)) if path.is_file() else None


LOG_FILE = "log.txt"


class RunningTrial(Protocol):
    """A trial that is being trained."""

    def outcome(self) -> TrialResult | None:
        """How it ended; None while it runs."""

    def stop(self) -> None:
        """Ends it at once; what it kept of its last epoch stays."""


class WarmProcess:
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

    def tell(self, job: TrialSpec) -> None:
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

    def __init__(self, job: TrialSpec, waiting: WarmProcess | None = None) -> None:
        self._folder = Path(job.folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / RESULT_FILE).unlink(missing_ok=True)
        self._process = waiting or WarmProcess()
        self._process.tell(job)

    def outcome(self) -> TrialResult | None:
        """How it ended; None while it runs."""
        status = self._process.status()
        if status is None:
            return None
        self._keep_log()
        self._process.end()
        told = read_result(self._folder)
        return told or TrialResult("died", error=_death_message(status, self._folder / LOG_FILE))

    def stop(self) -> None:
        """Ends it at once; what it kept of its last epoch stays."""
        self._process.end()

    def _keep_log(self) -> None:
        self._process.said.seek(0)
        with (self._folder / LOG_FILE).open("ab") as log:
            log.write(self._process.said.read())


class WarmPool:
    """Starts trials in processes of their own, and each next one while the one before trains.

    It holds one process more than trains, some 700 MB, until it is left as a context.
    """

    def __init__(self) -> None:
        self._spare: WarmProcess | None = None

    def __enter__(self) -> "WarmPool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._spare:
            self._spare.end()

    def __call__(self, job: TrialSpec) -> TrialProcess:
        """A trial's process."""
        spare, self._spare = self._spare, None
        if spare and spare.status() is not None:
            spare.end()
            spare = None
        trial = TrialProcess(job, spare)
        self._spare = WarmProcess()
        return trial


def _death_message(status: int, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return (
        f"its process died with status {status} ({lines[-1] if lines else 'silently'}); see {log}"
    )
