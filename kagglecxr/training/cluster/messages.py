"""What a task on another machine is told, and what comes back."""

from dataclasses import dataclass, field
from typing import Any

from kagglecxr.training.cluster.parcel import Parcel


@dataclass(frozen=True)
class Setting:
    """How each task is done, so that it gives what it would have given where it comes from.

    Attributes:
        version: the kit's.
        backend: Keras'.
        cores: for its threads; the order of floating-point sums depends on their number.
    """

    version: str
    backend: str
    cores: int


@dataclass(frozen=True)
class Done:
    """What comes back.

    Attributes:
        machine: the name of the machine that did it.
        files: of its folder.
        answer: of a trial, how it ended.
        error: a sentence; empty unless it failed.
        notes: what the user should read besides.
    """

    machine: str
    files: dict[str, bytes] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoldTask:
    """One fold of a run.

    Attributes:
        workspace: its files.
        weights: the files it starts from.
        starts: their names, in the order they are loaded.
        recipe: how to train.
        fold_of: the fold of each training image.
        fold: which is held out.
        run: the run's name.
        seed: of the whole run.
    """

    workspace: Parcel
    weights: Parcel
    starts: tuple[str, ...]
    recipe: dict[str, Any]
    fold_of: tuple[int, ...]
    fold: int
    run: str
    seed: int


@dataclass(frozen=True)
class TrialTask:
    """One trial of a search.

    Attributes:
        workspace: its files.
        weights: the files its recipe may start from.
        job: as a line; see `kagglecxr.training.search.job.Job`.
        starts: the recipe's sources of weights, as names in `weights`.
        desk: where scores are reported; see `kagglecxr.training.cluster.trials.Desk`.
    """

    workspace: Parcel
    weights: Parcel
    job: str
    starts: tuple[str, ...]
    desk: Any
