"""Classification, and which task it is that prepared data ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.metrics import METRICS, Metric
from kagglecxr.core.progress import Reporter
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.masked import MaskedData, load_masked
from kagglecxr.data.prepared import PreparedData
from kagglecxr.inference.predictions import Predictions, average, concatenate
from kagglecxr.inference.view_passes import predict_views
from kagglecxr.models.losses import make_loss
from kagglecxr.training.finding_task import FindingTask
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.segmentation_task import SegmentationTask
from kagglecxr.training.task import Outputs, Part, Task


@dataclass(frozen=True)
class HeldOutProbabilities:
    """Probabilities of held-out images with their true targets; see `HeldOut`."""

    predictions: Predictions
    metric: Metric

    def save(self, path: Path) -> None:
        """Writes an .npz file, atomically."""
        self.predictions.save(path)

    def scores(self) -> dict[str, float]:
        """Every metric of the registry, and the competition's as its TOML has it."""
        truth, probabilities = self.predictions.truth, self.predictions.probabilities
        scores = {name: METRICS[name](truth, probabilities) for name in METRICS.names()}
        return {**scores, self.metric.name: self.score()}

    def score(self) -> float:
        """The score by the competition's metric."""
        return self.metric(self.predictions.truth, self.predictions.probabilities)


class ClassificationTask(Task):
    """Each image belongs to one target: softmax, one-hot targets, sampling by class."""

    @property
    def output_names(self) -> list[str]:
        """The competition's targets."""
        return self.prepared.competition.targets()

    @property
    def metric(self) -> Metric:
        """The competition's."""
        return self.prepared.competition.evaluation_metric()

    def epoch_metrics(self) -> list[keras.Metric]:
        """The accuracy."""
        return [keras.metrics.CategoricalAccuracy(name="accuracy")]

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

    def predict(
        self, model: keras.Model, rows: npt.NDArray[np.intp], views: Sequence[str]
    ) -> Outputs:
        """(images, targets) probabilities."""
        return predict_views(model, self.prepared.cache.images, rows, views=views)

    def held_out(self, part: Part, by_view: Mapping[str, Outputs]) -> HeldOutProbabilities:
        """Probabilities, the mean of the views, with the true target ids."""
        index = self.prepared.index
        ids = np.array(index.column("id", index.rows("train")[part]))
        mean = average(list(by_view.values()))
        predictions = Predictions(ids, mean, self._target_ids(part), by_view)
        return HeldOutProbabilities(predictions, self.metric)

    def load_held_out(self, paths: Sequence[Path]) -> HeldOutProbabilities:
        """Reads files of `Predictions`."""
        predictions = concatenate([Predictions.load(path) for path in paths])
        return HeldOutProbabilities(predictions, self.metric)

    def _target_ids(self, part: Part) -> npt.NDArray[np.intp]:
        ids: npt.NDArray[np.intp] = self.prepared.target_ids()[part]
        return ids


def make_task(prepared: PreparedData) -> Task:
    """The task of a competition, classes or findings; segmentation where images have masks."""
    if isinstance(prepared, MaskedData):
        return SegmentationTask(prepared)
    if prepared.competition.classes.multilabel:
        return FindingTask(prepared)
    return ClassificationTask(prepared)


def data_of_recipe(
    prepared: PreparedData, workspace: Workspace, recipe: Recipe, reporter: Reporter
) -> PreparedData:
    """Returns the data that a recipe learns from: those prepared, or masked images of its size.

    Raises:
        MissingError, DataError: it learns masks, and there are none, or they are no masks.
    """
    if recipe.segmentation is None:
        return prepared
    return load_masked(prepared, workspace, recipe.segmentation.preprocessing(), reporter)
