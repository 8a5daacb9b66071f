"""What classes and findings have in common: a model predicts a probability for each target."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from kagglecxr.core.metrics import Metric
from kagglecxr.core.registry import Registry
from kagglecxr.inference.predictions import Predictions, average, concatenate
from kagglecxr.inference.view_passes import predict_views
from kagglecxr.training.task import Outputs, Part, Task


@dataclass(frozen=True)
class HeldOutProbabilities:
    """Probabilities of held-out images with their true targets; see `HeldOut`."""

    predictions: Predictions
    metric: Metric
    registry: Registry[Metric]

    def save(self, path: Path) -> None:
        """Writes an .npz file, atomically."""
        self.predictions.save(path)

    def scores(self) -> dict[str, float]:
        """Every metric of the registry, and the competition's as its TOML has it."""
        truth, probabilities = self.predictions.truth, self.predictions.probabilities
        scores = {name: self.registry[name](truth, probabilities) for name in self.registry.names()}
        return {**scores, self.metric.name: self.score()}

    def score(self) -> float:
        """The score by the competition's metric."""
        return self.metric(self.predictions.truth, self.predictions.probabilities)


class ProbabilityTask(Task):
    """A column of probabilities for each of the competition's targets."""

    @property
    def output_names(self) -> list[str]:
        """The competition's targets."""
        return self.prepared.competition.targets()

    @property
    def metric(self) -> Metric:
        """The competition's."""
        return self.prepared.competition.evaluation_metric()

    @property
    @abstractmethod
    def registry(self) -> Registry[Metric]:
        """All metrics by which held-out images are scored."""

    @abstractmethod
    def truth(self, part: Part) -> npt.NDArray[np.generic]:
        """What is true of a part's images, as the metrics take it."""

    def predict(
        self, model: keras.Model, rows: npt.NDArray[np.intp], views: Sequence[str]
    ) -> Outputs:
        """(images, targets) probabilities."""
        return predict_views(model, self.prepared.cache.images, rows, views=views)

    def held_out(self, part: Part, by_view: Mapping[str, Outputs]) -> HeldOutProbabilities:
        """Probabilities, the mean of the views, with what is true."""
        index = self.prepared.index
        ids = np.array(index.column("id", index.rows("train")[part]))
        mean = average(list(by_view.values()))
        predictions = Predictions(ids, mean, self.truth(part), by_view)
        return HeldOutProbabilities(predictions, self.metric, self.registry)

    def load_held_out(self, paths: Sequence[Path]) -> HeldOutProbabilities:
        """Reads files of `Predictions`."""
        predictions = concatenate([self.load_predictions(path) for path in paths])
        return HeldOutProbabilities(predictions, self.metric, self.registry)

    def load_predictions(self, path: Path) -> Predictions:
        """Reads the predictions of one part."""
        return Predictions.load(path)
