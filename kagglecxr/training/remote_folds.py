"""The interface between a run and what trains its folds on other machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.training.recipe import Recipe


@dataclass(frozen=True)
class FoldRequest:
    """The folds of one run that are to be trained.

    Attributes:
        workspace: The competition's workspace.
        run: The folder of the run.
        recipe: How to train.
        fold_of: (n_train,) int, the fold of each training image.
        initial_weights: For each fold to train, the weights files that it starts from.
        seed: The seed of the run.
    """

    workspace: Workspace
    run: Path
    recipe: Recipe
    fold_of: npt.NDArray[np.intp]
    initial_weights: Mapping[int, Sequence[Path]]
    seed: int


class FoldExecutor(Protocol):
    """Trains folds somewhere else than in this process."""

    def __call__(self, request: FoldRequest, reporter: Reporter) -> None:
        """Trains the folds that are not finished and writes each to the folder of the run."""
