"""What is learned from prepared data: the part of a training that differs from task to task."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.metrics import METRICS, Metric
from kagglecxr.data.prepared import PreparedData
from kagglecxr.data.samplers.epoch_sampler import EpochSampler
from kagglecxr.data.samplers.progressive import linear_rate
from kagglecxr.data.samplers.sampling import make_sampler
from kagglecxr.data.sequences.sequence import Transform
from kagglecxr.inference.predictions import Predictions
from kagglecxr.inference.predictor import predict_views
from kagglecxr.models.losses import make_loss
from kagglecxr.training.recipe import Recipe

Part = npt.NDArray[np.bool_]
"""(n_train,) bool: which of the training images."""
Outputs = npt.NDArray[np.float32]
"""(images, ...) float32: what a model predicts."""


@dataclass(frozen=True)
class Task(ABC):
    """What is learned: targets, head, loss, sampler, metrics, and the held-out predictions.

    Stages, resuming, averaging, time budgets, clusters and the search are the same for every task
    and ask it for what differs. A new task is a subclass that `make_task` returns.

    Attributes:
        epoch_metrics: Keras metrics that are measured in each epoch besides the loss.
    """

    prepared: PreparedData
    epoch_metrics: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def output_names(self) -> list[str]:
        """The names of a model's outputs, in their order."""

    @property
    def head(self) -> dict[str, Any]:
        """The arguments of `create_model` that make a head for this task."""
        return {"num_classes": len(self.output_names)}

    @property
    def metric(self) -> Metric:
        """The competition's metric, by which runs and trials are compared."""
        return self.prepared.competition.evaluation_metric()

    @abstractmethod
    def loss(self, recipe: Recipe) -> keras.Loss:
        """What is minimised."""

    @abstractmethod
    def targets(self, part: Part) -> npt.NDArray[np.float32]:
        """(images of the part, ...) float32: what a model is to predict, as the loss takes it."""

    @abstractmethod
    def sampler(self, part: Part, recipe: Recipe, seed: int) -> EpochSampler:
        """Which image of a part stands where in an epoch."""

    def augmentation(self, recipe: Recipe) -> Transform:
        """How a batch of training images and targets is changed in the data path."""
        return recipe.augmentation

    @abstractmethod
    def predict(
        self, model: keras.Model, rows: npt.NDArray[np.intp], views: Sequence[str]
    ) -> Outputs:
        """What a model predicts for some rows of the cache, the mean over the views."""

    @abstractmethod
    def held_out(self, part: Part, outputs: Outputs) -> Predictions:
        """The held-out predictions of a part, with what is true."""

    @abstractmethod
    def scores(self, predictions: Predictions) -> dict[str, float]:
        """All scores of held-out predictions, by name."""

    def score(self, predictions: Predictions) -> float:
        """The score of held-out predictions by the competition's metric."""
        return self.metric(predictions.truth, predictions.probabilities)


class ClassificationTask(Task):
    """Each image belongs to one target: softmax, one-hot targets, sampling by class."""

    epoch_metrics = ("accuracy",)

    @property
    def output_names(self) -> list[str]:
        """The competition's targets."""
        return self.prepared.competition.targets()

    def loss(self, recipe: Recipe) -> keras.Loss:
        """The recipe's, for one-hot targets."""
        return make_loss(
            recipe.loss,
            len(self.output_names),
            label_smoothing=recipe.label_smoothing,
            gamma=recipe.focal_gamma,
        )

    def targets(self, part: Part) -> npt.NDArray[np.float32]:
        """(images, targets) one-hot."""
        return np.eye(len(self.output_names), dtype=np.float32)[self._target_ids(part)]

    def sampler(self, part: Part, recipe: Recipe, seed: int) -> EpochSampler:
        """The recipe's sampling of the classes."""
        return make_sampler(
            recipe.sampling,
            self.prepared.class_ids()[part],
            self.prepared.competition.pools(),
            recipe.batch_size,
            seed,
            linear_rate(*recipe.balance, recipe.epochs),
        )

    def predict(
        self, model: keras.Model, rows: npt.NDArray[np.intp], views: Sequence[str]
    ) -> Outputs:
        """(images, targets) probabilities."""
        return predict_views(model, self.prepared.cache.images, rows, views=views)

    def held_out(self, part: Part, outputs: Outputs) -> Predictions:
        """Probabilities with the true target ids."""
        index = self.prepared.index
        ids = index.column("id", index.rows("train")[part])
        return Predictions(np.array(ids), outputs, self._target_ids(part))

    def scores(self, predictions: Predictions) -> dict[str, float]:
        """Every metric of the registry, and the competition's as its TOML has it."""
        scores = {
            name: METRICS[name](predictions.truth, predictions.probabilities)
            for name in METRICS.names()
        }
        return {**scores, self.metric.name: self.score(predictions)}

    def _target_ids(self, part: Part) -> npt.NDArray[np.intp]:
        ids: npt.NDArray[np.intp] = self.prepared.target_ids()[part]
        return ids


def make_task(prepared: PreparedData) -> Task:
    """The task of a competition."""
    return ClassificationTask(prepared)
