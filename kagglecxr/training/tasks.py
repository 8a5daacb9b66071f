"""Classification, and which task it is that prepared data ask for."""

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.metrics import METRICS, Metric
from kagglecxr.core.progress import Reporter
from kagglecxr.core.registry import Registry
from kagglecxr.core.workspace import Workspace
from kagglecxr.data.masked import MaskedData, load_masked
from kagglecxr.data.prepared import PreparedData
from kagglecxr.models.losses import make_loss
from kagglecxr.training.finding_task import FindingTask
from kagglecxr.training.probability_task import ProbabilityTask
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.segmentation_task import SegmentationTask
from kagglecxr.training.task import Part, Task


class ClassificationTask(ProbabilityTask):
    """Each image belongs to one target: softmax, one-hot targets, sampling by class."""

    @property
    def registry(self) -> Registry[Metric]:
        """The metrics of classes."""
        return METRICS

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
        return np.eye(len(self.output_names), dtype=np.float32)[self.truth(part)]

    def truth(self, part: Part) -> npt.NDArray[np.intp]:
        """(images,) target ids."""
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
