"""What a run is: all that decides its outcome, and where its files lie."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kagglecxr.core.files import digest
from kagglecxr.core.progress import Reporter
from kagglecxr.core.run_record import fold_folder
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.prepared import PreparedData
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.task import Task


@dataclass(frozen=True)
class RunSpec:
    """What a run is.

    Attributes:
        task: what is learned, and from which data.
        fold_of: (n_train,) int, the fold of each training image.
        seed: fixes all random choices.
    """

    task: Task
    workspace: Workspace
    recipe: Recipe
    fold_of: npt.NDArray[np.intp]
    seed: int
    folder: Path

    @property
    def prepared(self) -> PreparedData:
        """The data."""
        return self.task.prepared

    @property
    def folds(self) -> int:
        """How many folds there are."""
        return int(self.fold_of.max()) + 1

    def fold_folder(self, fold: int) -> Path:
        """Where one fold's files go."""
        return fold_folder(self.folder, fold)

    def missing_folds(self) -> list[int]:
        """The folds that are not finished."""
        return [i for i in range(self.folds) if not (self.fold_folder(i) / "fold.json").is_file()]


FoldExecutor = Callable[[RunSpec, Mapping[int, Sequence[Path]], Reporter], None]
"""Trains folds of a run on other machines; the mapping holds each fold's initial weights files."""


def run_name(
    prepared: PreparedData, recipe: Recipe, folds: int, seed: int, variant: Sequence[str | int] = ()
) -> str:
    """The name of a run: its model, and a digest of all that decides its outcome.

    The variant is what else decides it, as the seed of its folds or its teacher.
    """
    table, pools = prepared.index.table, prepared.competition.classes.pools
    pooled = ["pools", pools] if pools else []
    split = digest(list(table["id"]), list(table["split"]), prepared.fold.tolist())
    settings = recipe.model_dump(mode="json")
    for optional in ("segmentation", "linear"):
        if settings[optional] is None:
            del settings[optional]
    decided = digest(settings, prepared.cache.key, folds, seed, split, *pooled, *variant)
    return f"{recipe.model}-{decided[:8]}"
