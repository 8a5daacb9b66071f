"""Several findings an image: a sigmoid unit each, and nothing of what is not known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.errors import DataError, SettingError
from kagglecxr.core.finding_metrics import FINDING_METRICS
from kagglecxr.core.metrics import Metric
from kagglecxr.core.run_record import unreadable_predictions
from kagglecxr.data.samplers.epoch_sampler import EpochSampler
from kagglecxr.data.samplers.multilabel import Findings, MultiLabelSampler
from kagglecxr.data.samplers.sampling import ShuffleSampler
from kagglecxr.inference.predictions import Predictions, average, concatenate
from kagglecxr.inference.view_passes import predict_views
from kagglecxr.models.finding_losses import FINDING_LOSSES, positive_weights
from kagglecxr.training.recipe import Recipe
from kagglecxr.training.task import Outputs, Part, Task

BALANCED, NATURAL, WEIGHTED = "balanced", "natural", "class_weights"


@dataclass(frozen=True)
class HeldOutFindings:
    """Probabilities of held-out images with their true findings; see `HeldOut`."""

    predictions: Predictions
    metric: Metric

    def save(self, path: Path) -> None:
        """Writes an .npz file, atomically."""
        self.predictions.save(path)

    def scores(self) -> dict[str, float]:
        """Every metric of findings."""
        truth, probabilities = self.predictions.truth, self.predictions.probabilities
        return {n: FINDING_METRICS[n](truth, probabilities) for n in FINDING_METRICS.names()}

    def score(self) -> float:
        """The score by the competition's metric."""
        return self.metric(self.predictions.truth, self.predictions.probabilities)


class FindingTask(Task):
    """Each image has any of the findings: sigmoids, and targets of 0, 1 and, not known, NaN."""

    @property
    def output_names(self) -> list[str]:
        """The findings."""
        return self.prepared.competition.targets()

    @property
    def head(self) -> dict[str, Any]:
        """A sigmoid unit for each finding."""
        return {"num_classes": len(self.output_names), "multilabel": True}

    @property
    def metric(self) -> Metric:
        """The competition's."""
        return self.prepared.competition.evaluation_metric()

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
        table = np.nan_to_num(self.prepared.findings()[part]).astype(np.int64)
        if recipe.sampling in (NATURAL, WEIGHTED):
            return ShuffleSampler(Findings(table), recipe.batch_size, seed)
        if recipe.sampling == BALANCED:
            return MultiLabelSampler(Findings(table), recipe.batch_size, seed)
        raise SettingError(
            f"This sampling is of images with one class each. Received: {recipe.sampling} for "
            f"findings. Use --set sampling={BALANCED}, {NATURAL} or {WEIGHTED}."
        )

    def predict(
        self, model: keras.Model, rows: npt.NDArray[np.intp], views: Sequence[str]
    ) -> Outputs:
        """(images, findings) probabilities."""
        return predict_views(model, self.prepared.cache.images, rows, views=views)

    def held_out(self, part: Part, by_view: Mapping[str, Outputs]) -> HeldOutFindings:
        """Probabilities, the mean of the views, with the true findings."""
        index = self.prepared.index
        ids = np.array(index.column("id", index.rows("train")[part]))
        mean = average(list(by_view.values()))
        return HeldOutFindings(Predictions(ids, mean, self.targets(part), by_view), self.metric)

    def load_held_out(self, paths: Sequence[Path]) -> HeldOutFindings:
        """Reads files of `Predictions`."""
        parts = [Predictions.load(path) for path in paths]
        for path, part in zip(paths, parts, strict=True):
            if part.truth.shape != part.probabilities.shape:
                raise DataError(unreadable_predictions(path))
        return HeldOutFindings(concatenate(parts), self.metric)
