"""Several findings an image: a sigmoid unit each, and nothing of what is not known."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.finding_metrics import FINDING_METRICS
from kagglecxr.core.metrics import Metric
from kagglecxr.core.registry import Registry
from kagglecxr.core.run_record import unreadable_predictions
from kagglecxr.data.samplers.epoch_sampler import EpochSampler
from kagglecxr.data.samplers.multilabel import Findings, MultiLabelSampler
from kagglecxr.data.samplers.sampling import ShuffleSampler
from kagglecxr.inference.predictions import Predictions
from kagglecxr.models.finding_losses import FINDING_LOSSES, positive_weights
from kagglecxr.training.probability_task import ProbabilityTask
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.task import Part

BALANCED, NATURAL, WEIGHTED = "balanced", "natural", "class_weights"


class FindingTask(ProbabilityTask):
    """Each image has any of the findings: sigmoids, and targets of 0, 1 and, not known, NaN."""

    @property
    def head(self) -> dict[str, Any]:
        """A sigmoid unit for each finding."""
        return {"num_classes": len(self.output_names), "multilabel": True}

    @property
    def registry(self) -> Registry[Metric]:
        """The metrics of findings."""
        return FINDING_METRICS

    def loss(self, recipe: Recipe) -> keras.Loss:
        """The recipe's, with positives that weigh as much as negatives where it says so."""
        weights = None
        if recipe.sampling == WEIGHTED:
            truth = self.prepared.findings()
            known = (~np.isnan(truth)).sum(axis=0).tolist()
            weights = positive_weights(np.nansum(truth, axis=0).tolist(), known)
        return FINDING_LOSSES[recipe.loss](weights, recipe.label_smoothing, recipe.focal_gamma)

    def targets(self, part: Part) -> npt.NDArray[np.float32]:
        """(images, findings) 1, 0 or NaN."""
        return self.prepared.findings()[part]

    def sampler(self, part: Part, recipe: Recipe, seed: int) -> EpochSampler:
        """Batches that are balanced over the findings, or natural ones.

        Raises:
            SettingError: another sampling, which is of classes.
        """
        table = self.targets(part)
        if recipe.sampling in (NATURAL, WEIGHTED):
            return ShuffleSampler(Findings(table), recipe.batch_size, seed)
        if recipe.sampling == BALANCED:
            return MultiLabelSampler(Findings(table), recipe.batch_size, seed)
        raise SettingError(
            f"This sampling is of images with one class each. Received: {recipe.sampling} for "
            f"findings. Use --set sampling={BALANCED}, {NATURAL} or {WEIGHTED}."
        )

    def truth(self, part: Part) -> npt.NDArray[np.float32]:
        """(images, findings) 1, 0 or NaN: the targets."""
        return self.targets(part)

    def load_predictions(self, path: Path) -> Predictions:
        """Reads the predictions of one part.

        Raises:
            DataError: its truth is not that of findings.
        """
        predictions = super().load_predictions(path)
        if predictions.truth.shape != predictions.probabilities.shape:
            raise DataError(unreadable_predictions(path))
        return predictions
