"""What is learned from prepared data: the part of a training that differs from task to task."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.metrics import Metric
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.samplers.epoch_sampler import EpochSampler
from kagglecxr.data.samplers.progressive import linear_rate
from kagglecxr.data.samplers.sampling import make_sampler
from kagglecxr.data.sequences.sequence import TargetRows, Transform
from kagglecxr.training.recipe import Recipe

Part = npt.NDArray[np.bool_]
"""(n_train,) bool: which of the training images."""
Outputs = npt.NDArray[np.float32]
"""(images, ...) float32: what a model predicts."""


class HeldOut(Protocol):
    """What was predicted for held-out images, with what is true."""

    def save(self, path: Path) -> None:
        """Writes an .npz file, atomically."""

    def scores(self) -> dict[str, float]:
        """All scores, by name."""

    def score(self) -> float:
        """The score by which runs and trials are compared."""


@dataclass(frozen=True)
class Task(ABC):
    """What is learned: targets, head, loss, sampler, metrics, and the held-out predictions.

    Stages, resuming, averaging, time budgets, clusters and the search are the same for every task
    and ask it for what differs. A new task is a subclass that `make_task` returns.

    """

    prepared: PreparedData

    @property
    @abstractmethod
    def output_names(self) -> list[str]:
        """The names of a model's outputs, in their order."""

    @property
    def head(self) -> dict[str, Any]:
        """The arguments of `create_model` that make a head for this task."""
        return {"num_classes": len(self.output_names)}

    @property
    @abstractmethod
    def metric(self) -> Metric:
        """By which runs and trials are compared."""

    def epoch_metrics(self) -> list[keras.Metric]:
        """What is measured in each epoch besides the loss."""
        return []

    @abstractmethod
    def loss(self, recipe: Recipe) -> keras.Loss:
        """What is minimised."""

    @abstractmethod
    def targets(self, part: Part) -> TargetRows:
        """(images of the part, ...) float32: what a model is to predict, as the loss takes it."""

    def sampler(self, part: Part, recipe: Recipe, seed: int) -> EpochSampler:
        """Which image of a part stands where in an epoch: the recipe's sampling of the classes."""
        return make_sampler(
            recipe.sampling,
            self.prepared.class_ids()[part],
            self.prepared.competition.pools(),
            recipe.batch_size,
            seed,
            linear_rate(*recipe.balance, recipe.epochs),
        )

    def augmentation(self, recipe: Recipe) -> Transform:
        """How a batch of training images and targets is changed in the data path."""
        return recipe.augmentation

    @abstractmethod
    def predict(
        self, model: keras.Model, rows: npt.NDArray[np.intp], views: Sequence[str]
    ) -> Outputs:
        """What a model predicts for some rows of the cache, the mean over the views."""

    @abstractmethod
    def held_out(self, part: Part, by_view: Mapping[str, Outputs]) -> HeldOut:
        """The predictions of a held-out part, by the names of the views they are made from."""

    @abstractmethod
    def load_held_out(self, paths: Sequence[Path]) -> HeldOut:
        """Reads the predictions of several parts, as those of one.

        Raises:
            DataError: a file is damaged.
        """
