"""Runs each trial in a process of its own: what it receives, how it is started, how it ended."""

import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import TypeAdapter

from kagglecxr.core.files import read_json, write_json
from kagglecxr.training.recipe import Recipe

RESULT_FILE, LOG_FILE = "result.json", "log.txt"


@dataclass(frozen=True)
class TrialSpec:
    """What a trial's process needs to know.

    Attributes:
        competition: The competition as on the command line.
        workspace: The folder of the workspace.
        study: The name of the study.
        storage: Where the study is stored.
        number: The number of the trial.
        recipe: The recipe to train.
        folder: The folder of the trial; the same for the same recipe, so that a killed trial is
            resumed.
        folds: The number of folds to train.
        seed: The seed of the search.
        cache_key: The key of the images; those of the workspace if empty.
    """

    competition: str
    workspace: Path
    study: str
    storage: str
    number: int
    recipe: Recipe
    folder: Path
    folds: int
    seed: int
    cache_key: str = ""

    def to_json(self) -> str:
        """Returns the trial as JSON without line breaks."""
        return _SPEC.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "TrialSpec":
        """Reads what `to_json` returned."""
        return _SPEC.validate_json(text)


_SPEC = TypeAdapter(TrialSpec)


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended.

    Attributes:
        state: finished, pruned, failed, or died if its process ended without a result, as when the
            operating system kills it for want of memory.
        score: The competition's metric, averaged over the folds; None unless finished.
        error: Why the trial failed or died; else empty.
    """

    state: Literal["finished", "pruned", "failed", "died"]
    score: float | None = None
    error: str = ""

    def write(self, folder: Path) -> None:
        """Writes the result to the folder of the trial."""
        write_json(folder / RESULT_FILE, dataclasses.asdict(self))


def read_result(folder: Path) -> TrialResult | None:
    """Reads the result of a trial; None if its process died before it wrote one."""
    path = folder / RESULT_FILE
    return TrialResult(**read_json(path)) if path.is_file() else None


class RunningTrial(Protocol):
    """A trial that is being trained, wherever that is."""

    def poll(self) -> TrialResult | None:
        """How the trial ended; None while it runs."""

    def kill(self) -> None:
        """Kills the trial; its last checkpoint is kept."""


TrialLauncher = Callable[[TrialSpec], RunningTrial]
"""Starts the training of a trial."""


class WarmProcess:
    """A process that has imported Keras, which takes seconds, and waits for its trial."""

    def __init__(self) -> None:
        self.output = tempfile.TemporaryFile()  # noqa: SIM115 open as long as the process lives
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kagglecxr.training.search.trial"],
            stdin=subprocess.PIPE,
            stdout=self.output,
            stderr=self.output,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            # Ctrl-C goes to the search alone, which then closes the pipe.
            start_new_session=True,
        )

    def poll(self) -> int | None:
        """Returns the exit status; None while the process lives."""
        return self._process.poll()

    def send(self, spec: TrialSpec) -> None:
        """Sends the trial; if the process has died, its exit status tells."""
        if self._process.stdin:
            try:
                self._process.stdin.write(f"{spec.to_json()}\n".encode())
                self._process.stdin.flush()
            except BrokenPipeError:
                self._process.wait()

    def close(self) -> None:
        """Kills the process if it lives, and closes its files."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            # The raw pipe: what a dead process left unread would be flushed into it again.
            self._process.stdin.raw.close()  # type: ignore[attr-defined]
        self.output.close()


class TrialProcess:
    """A trial in a process of its own; its output goes to log.txt in the folder of the trial.

    Args:
        spec: The trial.
        process: The process that trains it; defaults to a new one.
    """

    def __init__(self, spec: TrialSpec, process: WarmProcess | None = None) -> None:
        self._folder = spec.folder
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / RESULT_FILE).unlink(missing_ok=True)
        self._process = process or WarmProcess()
        self._process.send(spec)

    def poll(self) -> TrialResult | None:
        """How the trial ended; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        log = self._folder / LOG_FILE
        self._process.output.seek(0)
        with log.open("ab") as stream:
            stream.write(self._process.output.read())
        self._process.close()
        return read_result(self._folder) or TrialResult("died", error=_death_message(status, log))

    def kill(self) -> None:
        """Kills the process; its last checkpoint is kept."""
        self._process.close()


class WarmPool:
    """Launches trials in processes, and starts the process of the next trial in advance.

    Until it is left as a context, one process more is alive than trials run; it takes about 700 MB.
    """

    def __init__(self) -> None:
        self._spare: WarmProcess | None = None

    def __enter__(self) -> "WarmPool":
        return self

    def __exit__(self, *error: object) -> None:
        if self._spare:
            self._spare.close()

    def __call__(self, spec: TrialSpec) -> TrialProcess:
        """Launches a trial."""
        spare, self._spare = self._spare, None
        if spare and spare.poll() is not None:
            spare.close()
            spare = None
        trial = TrialProcess(spec, spare)
        self._spare = WarmProcess()
        return trial


def _death_message(status: int, log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = lines[-1] if lines else "without output"
    return f"its process died with status {status} ({last}); see {log}"
