"""What a trial's process is told, and what it leaves behind."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kagglecxr.core.files import read_json, write_json

OUTCOME = "outcome.json"


@dataclass(frozen=True)
class Job:
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
    def of_line(cls, line: str) -> "Job":
        """What `as_line` wrote."""
        return cls(**json.loads(line))


@dataclass(frozen=True)
class Outcome:
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
        write_json(folder / OUTCOME, dataclasses.asdict(self))


def read_outcome(folder: Path) -> Outcome | None:
    """What a trial's process left; None if it died before."""
    path = folder / OUTCOME
    return Outcome(**read_json(path)) if path.is_file() else None
