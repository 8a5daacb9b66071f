"""Runs each trial in a process of its own: what it receives, how it is started, how it ended."""

import contextlib
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

    The competition is named as on the command line; without a key of a cache, the images are those
    of the workspace. The folder is the same for the same recipe, so that a killed trial is resumed.
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
    """How a trial ended, and if finished, the competition's metric averaged over the folds.

    A trial has died if its process ended without a result, as when it ran out of memory.
    """

    state: Literal["finished", "pruned", "failed", "died"]
    score: float | None = None
    error: str = ""

    def write(self, folder: Path) -> None:
        """Writes the result to the folder of the trial."""
        write_json(folder / RESULT_FILE, dataclasses.asdict(self))

    @classmethod
    def read(cls, folder: Path) -> "TrialResult | None":
        """Reads what `write` wrote; None if the process died before."""
        path = folder / RESULT_FILE
        return cls(**read_json(path)) if path.is_file() else None


class RunningTrial(Protocol):
    """A trial that is being trained, wherever that is."""

    def poll(self) -> TrialResult | None:
        """How the trial ended; None while it runs."""

    def kill(self) -> None:
        """Kills the trial; its last checkpoint is kept."""


TrialLauncher = Callable[[TrialSpec], RunningTrial]
"""Starts the training of a trial."""


class WarmProcess:
    """A process that imports Keras, which takes seconds, and then waits for a trial to train.

    Its output goes to log.txt in the folder of the trial.
    """

    def __init__(self) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 open as long as the process lives
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kagglecxr.training.search.trial"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=self._output,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            # Ctrl-C goes to the search alone, which then closes the pipe.
            start_new_session=True,
        )

    def is_alive(self) -> bool:
        """Returns whether the process has not ended."""
        return self._process.poll() is None

    def train(self, spec: TrialSpec) -> "WarmProcess":
        """Sends the trial; if the process has died, `poll` says so."""
        self._folder = spec.folder
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / RESULT_FILE).unlink(missing_ok=True)
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(f"{spec.to_json()}\n".encode())
        return self

    def poll(self) -> TrialResult | None:
        """How the trial ended; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        log = self._folder / LOG_FILE
        self._output.seek(0)
        with log.open("ab") as stream:
            stream.write(self._output.read())
        self.kill()
        if result := TrialResult.read(self._folder):
            return result
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = lines[-1] if lines else "without output"
        error = f"its process died with status {status} ({last}); see {log}"
        return TrialResult("died", error=error)

    def kill(self) -> None:
        """Kills the process if it lives, and closes its files; its last checkpoint is kept."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._output.close()


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
            self._spare.kill()

    def __call__(self, spec: TrialSpec) -> WarmProcess:
        """Launches a trial."""
        process = self._spare or WarmProcess()
        if not process.is_alive():
            process.kill()
            process = WarmProcess()
        process.train(spec)
        self._spare = WarmProcess()
        return process
